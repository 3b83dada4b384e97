"""The strict YAML of the kernel by its former name."""

from esaa.kernel.strict_yaml import NotStrictYaml, PlainValue, loads_yaml

__all__ = ["NotStrictYaml", "PlainValue", "loads_yaml"]
