/** The answers of the time machine, as the server and `esaa ... --json` give them. */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface Entry {
  seq: number;
  event_id: string;
  ts: string;
  actor: string;
  name: string;
  subject: string | null;
  summary: string;
  leaf_hash: string;
  correlation_id: string | null;
  causation_id: string | null;
  is_rejection: boolean;
}

export interface Change {
  op: "add" | "remove" | "replace";
  pointer: string;
  before: Json;
  after: Json;
}

export interface Answer {
  past: string;
  at: number;
  cli: string;
}

export interface PastSummary {
  name: string;
  kind: "log" | "trail";
  head: number;
  first_ts: string | null;
  last_ts: string | null;
  summary: string;
}

export interface RunSummary {
  run_id: string;
  status: string | null;
  first_seq: number;
  last_seq: number;
  first_ts: string;
  last_ts: string;
  issue_key: string | null;
}

export interface Overview extends Answer {
  pasts: PastSummary[];
  runs: RunSummary[];
}

export interface Meta extends Answer {
  kind: "log" | "trail";
  head: number;
  head_hash: string | null;
  first_ts: string | null;
  last_ts: string | null;
  names: string[];
  actors: string[];
  subjects_count: number;
  runs: RunSummary[];
  verify: { status: string; detail: string };
}

export interface EventsView extends Answer {
  total: number;
  offset: number;
  entries: Entry[];
}

export interface Rule {
  layer: string;
  rule: string;
  outcome: "passed" | "refused" | "not_asked";
  text: string;
}

export interface EventView extends Answer {
  entry: Entry;
  payload: Json;
  line_bytes: number;
  changes: Change[];
  causes: Entry[];
  premises: Entry[];
  effects: Entry[];
  rules: Rule[];
}

export interface StateChild {
  name: string;
  kind: "object" | "array" | "value";
  size: number;
  preview: string;
}

export interface StateView extends Answer {
  pointer: string;
  kind: "object" | "array" | "value";
  value: Json;
  children: StateChild[];
  total: number;
}

export interface Card {
  task_id: string;
  title: string;
  task_kind: string;
  status: string;
  owner: string | null;
  attempts: number;
  open_issues: number;
  is_hotfix: boolean;
  changed: boolean;
}

export interface Column {
  status: string;
  total: number;
  cards: Card[];
  next: string | null;
}

export interface BoardView extends Answer {
  since: number | null;
  counts: Record<string, number>;
  columns: Column[];
}

export interface TaskVersion {
  seq: number;
  ts: string;
  actor: string;
  name: string;
  status: string;
  owner: string | null;
  summary: string;
}

export interface FileRow {
  path: string;
  sha256: string | null;
  bytes: number | null;
  task_id: string | null;
  seq: number | null;
  changed: "added" | "changed" | "removed" | "";
}

export interface TaskView extends Answer {
  task: { [name: string]: Json };
  work: { [name: string]: Json } | null;
  issues: { [name: string]: Json }[];
  versions: TaskVersion[];
  files: FileRow[];
}

export interface DiffView extends Answer {
  a: number;
  b: number;
  pointer: string;
  total: number;
  offset: number;
  counts: Record<string, number>;
  changes: Change[];
}

export interface BlameView extends Answer {
  pointer: string;
  value: Json;
  history: { seq: number; before: Json; after: Json; entry: Entry }[];
  cause: Entry[];
  output: { [name: string]: Json } | null;
  rules: Rule[];
}

export interface GraphView extends Answer {
  nodes: (Entry & { depth: number })[];
  edges: { from: number; to: number; seconds: number; kind: "caused" | "enabled" }[];
  critical: number[];
  is_cut: boolean;
}

export interface Span {
  from: number;
  to: number;
  seq_first: number;
  seq_last: number;
  label: string;
  kind: string;
  count: number;
}

export type Axis = "wall" | "order" | "busy";

export interface LanesView extends Answer {
  axis: Axis;
  first: number;
  last: number;
  width: number;
  lanes: { actor: string; spans: Span[] }[];
  ticks: { x: number; label: string }[];
  gaps: { x: number; seconds: number }[];
}

export interface FilesView extends Answer {
  since: number | null;
  total: number;
  offset: number;
  files: FileRow[];
  path: string | null;
  content: string | null;
  is_binary: boolean;
  patch: string | null;
  note: string;
}

export interface Measures {
  attempts: number;
  accepted: number;
  rejected: number;
  acceptance: number | null;
  rejections: Record<string, number>;
  tokens_in: number;
  tokens_out: number;
  tokens_cached: number;
  cost_micro_usd: number;
  unpriced: number;
  models: Record<string, number>;
  calls: number;
  working_seconds: number;
}

export interface RunMeasures extends Measures {
  run_id: string;
  status: string | null;
  elapsed_seconds: number;
  waiting_seconds: number;
  overhead_cpu_seconds: number;
  overhead_share: number | null;
  agents: Record<string, Measures>;
}

export interface TaskDurations {
  task_id: string;
  title: string;
  status: string;
  attempts: number;
  rejections: number;
  waiting_seconds: number;
  working_seconds: number;
  review_seconds: number;
  total_seconds: number | null;
}

export interface MetricsView extends Answer {
  runs: RunMeasures[];
  total: number;
  tasks: TaskDurations[];
}

export interface Rejection {
  entry: Entry;
  asked: { actor: string; action: string | null; task_id: string | null; output: Json };
  rule: { layer: string | number; reason: string; error_code: string; message: string; hint: string };
  next: Entry | null;
}

export interface RejectionsView extends Answer {
  total: number;
  offset: number;
  rejections: Rejection[];
}

export interface RailSpan {
  from: number;
  to: number;
  kind: "verified" | "unanchored" | "broken";
  text: string;
  is_signed: boolean;
  is_checked: boolean;
}

export interface ProofView extends Answer {
  rail: RailSpan[];
  hash_at: string | null;
  root_at: string | null;
  checkpoints: { seq: number; origin: string; root: string; signed_by: string[] }[];
  checked_at: string | null;
}

export interface BisectView extends Answer {
  good: number;
  bad: number;
  first_bad: Entry | null;
  steps: { seq: number; verdict: "good" | "bad" | "skip" }[];
  suspects: number[];
  is_monotone: boolean | null;
  note: string;
}

export interface Outcome {
  seq: number;
  actor: string;
  name: string;
  subject: string | null;
  summary: string;
  was: "accepted" | "rejected" | "absent";
  is: "accepted" | "rejected" | "dropped" | "not_judged";
  error_code: string | null;
  message: string | null;
  was_error_code: string | null;
  is_edited: boolean;
  note: string;
}

export interface WhatIfView extends Answer {
  is_hypothetical: boolean;
  total: number;
  offset: number;
  changes_total: number;
  outcomes: Outcome[];
  first_divergence: number | null;
  changes: Change[];
  counts: Record<string, number>;
  not_judged: Record<string, number> | null;
}

export interface Note {
  note_id: string;
  past: string;
  seq: number;
  kind: "note" | "bookmark";
  text: string;
  leaf_hash: string | null;
  is_stale: boolean;
  changed_at: string;
}

export interface NotesView extends Partial<Answer> {
  total: number;
  notes: Note[];
}

export interface ServerView {
  version: string;
  workspace: string;
  allows_actions: boolean;
  allows_notes: boolean;
}
