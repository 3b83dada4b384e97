/** Where the events of a causation graph stand: causes on the left, effects on the right. */

import dagre from "@dagrejs/dagre";
import type { Entry, GraphView } from "./answers.ts";

export const NODE_WIDTH = 208;
export const NODE_HEIGHT = 46;

export interface PlacedNode {
  entry: Entry & { depth: number };
  x: number;
  y: number;
  isCritical: boolean;
}

export interface PlacedEdge {
  key: string;
  path: string;
  isCritical: boolean;
  isEnabled: boolean;
}

export interface Placed {
  nodes: PlacedNode[];
  edges: PlacedEdge[];
  width: number;
  height: number;
}

export function placed(view: GraphView): Placed {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 10, ranksep: 54, marginx: 24, marginy: 24 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of [...view.nodes].sort((one, other) => one.seq - other.seq)) {
    graph.setNode(String(node.seq), { width: NODE_WIDTH, height: NODE_HEIGHT });
  }
  const known = new Set(view.nodes.map((node) => node.seq));
  const edges = view.edges.filter((edge) => known.has(edge.from) && known.has(edge.to));
  for (const edge of edges) graph.setEdge(String(edge.from), String(edge.to));
  dagre.layout(graph);
  const critical = new Set(view.critical);
  const nodes = view.nodes.map((entry): PlacedNode => {
    const place = graph.node(String(entry.seq)) as { x: number; y: number };
    return { entry, x: place.x - NODE_WIDTH / 2, y: place.y - NODE_HEIGHT / 2, isCritical: critical.has(entry.seq) };
  });
  const size = graph.graph() as { width?: number; height?: number };
  return {
    nodes,
    edges: edges.map((edge): PlacedEdge => {
      const from = graph.node(String(edge.from)) as { x: number; y: number };
      const to = graph.node(String(edge.to)) as { x: number; y: number };
      const [x1, x2] = [from.x + NODE_WIDTH / 2, to.x - NODE_WIDTH / 2];
      const bend = Math.max(18, (x2 - x1) / 2);
      return {
        key: `${edge.from} ${edge.to}`,
        path: `M${x1} ${from.y}C${x1 + bend} ${from.y} ${x2 - bend} ${to.y} ${x2} ${to.y}`,
        isCritical: critical.has(edge.from) && critical.has(edge.to),
        isEnabled: edge.kind === "enabled",
      };
    }),
    width: size.width ?? 0,
    height: size.height ?? 0,
  };
}
