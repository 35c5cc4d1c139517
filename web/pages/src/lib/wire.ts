// What the two page APIs send, as far as the pages read it.

export type Json = { [key: string]: any }

export interface User { id: string; name: string; real: string; kind: string; email?: string }
export interface Channel { id: string; name: string; private: boolean; direct: boolean | string }
export interface Group { id: string; handle: string; name?: string }
export interface Message {
  channel: string
  ts: string
  thread?: string
  broadcast?: boolean
  user?: string
  only?: string
  text: string
  blocks?: Json[] | null
  edits?: number
  reactions?: Record<string, string[]> | null
  unfurls?: { url: string; title: string; text: string; blocks?: Json[] }[] | null
}
export interface View {
  id: string
  type: string
  callbackId?: string
  title: string
  submit: string
  close: string
  blocks: Json[] | null
  errors?: Record<string, string> | null
  values?: Record<string, Record<string, Json>> | null
  hash?: string
}
export interface Shortcut { name: string; callback: string; message: boolean }
export interface Violation { where: string; channel?: string; message: string }
export interface State {
  version: number
  team: { id: string; name: string }
  app: { name: string; command: string; user: string; shortcuts?: Shortcut[] }
  me: string
  users: User[]
  groups?: Group[]
  channels: Channel[]
  messages: Record<string, Message[] | null>
  ephemerals: Message[] | null
  views: View[] | null
  home: View | null
  violations: Violation[] | null
}

export interface Option { text: string; value: string; description?: string }

// Place is what somebody acts on: a message, or a form or home tab.
export interface Place { channel?: string; ts?: string; view?: string; block?: string }

export interface Answer { ok: boolean; error?: string; options?: Option[] }

export interface DemoState {
  version: number
  me: string
  people: { id: string; name: string; role: string }[]
  captions: { at: string | number; text: string }[]
  step: string
  next: string
  shop: { url: string; execution: string; title: string; errorRate: { at: number; rate: number }[] | null; marks: { at: number; text: string }[] | null; threshold: number; healthy: boolean } | null
  tickets: { key: string; summary: string; status: string; url: string }[] | null
  github: { environment: string; commit: string; state: string; url: string }[] | null
  deploying: boolean
  restarts: number
  file: string
  aws: AWSConsole | null
  picture: Picture | null
}

// Control is what the visitor asks for of a pipeline of their own.
export type Control =
  | { what: 'speed'; speed: number }
  | { what: 'fail'; stage: string; action: string }
  | { what: 'gate'; stage: string }
  | { what: 'skip'; to: 'hour' | 'monday' }
  | { what: 'approve'; gate: string; as: string }

export interface Picture {
  execution: string
  stages: {
    name: string
    environment: string
    status: string
    note: string
    gate: boolean
    first: boolean
    steps: { name: string; provider: string; status: string; text: string; fails: boolean; gate: string; as: { id: string; name: string }[] }[][]
  }[]
  speed: number
  speeds: number[]
  clock: number
  ahead: boolean
  inAWS: { where: string; text: string }[]
}

export interface AWSConsole { region: string; user: string; pipelines: { name: string; as: string; stages: AWSStage[] }[] }
export interface AWSStage {
  name: string
  execution: string
  rollback: boolean
  status: string
  inbound: string
  disabled: string
  by: string
  actions: { name: string; provider: string; status: string; text: string; by: string; waits: boolean }[]
}
