"""The contracts and policies of a workspace as typed values. Pure; reading the files is `stores.contracts`."""
