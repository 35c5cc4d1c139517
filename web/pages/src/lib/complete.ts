import commands from './commands.json'
import { escape } from './mrkdwn'
import type { State } from './wire'

// Completion is one thing that what is being typed may become.
export interface Completion { label: string; detail: string; text: string }

const most = 8

// complete lists what the text up to the cursor may become.
export function complete(before: string, state: State): Completion[] {
  const slash = state.app.command
  if (before.startsWith('/') && !before.includes(' ')) {
    return slash.startsWith(before) ? [{ label: slash, detail: 'Pipelines, approvals, rollbacks', text: slash + ' ' }] : []
  }
  if (before.startsWith(slash + ' ')) return words(before.slice(slash.length + 1), slash + ' ', state)
  const mention = /(^|\s)([@#])([\p{L}\p{N}._-]*)$/u.exec(before)
  if (!mention) return []
  const [, , sign, typed] = mention
  const head = before.slice(0, before.length - typed.length)
  const all = sign === '@'
    ? state.users.filter((u) => u.kind !== 'deactivated').map((u) => ({ label: u.name, detail: u.real || '' }))
    : state.channels.filter((c) => !c.direct).map((c) => ({ label: c.name, detail: '' }))
  return all.filter((o) => fits(o.label, typed) || fits(o.detail, typed)).slice(0, most)
    .map((o) => ({ label: sign + o.label, detail: o.detail, text: head + o.label + ' ' }))
}

const fits = (label: string, typed: string) => label.toLowerCase().startsWith(typed.toLowerCase())

// words completes a sub-command, or the pipeline or execution after it.
function words(typed: string, head: string, state: State): Completion[] {
  const verb = /^\S*/.exec(typed)![0]
  if (verb === typed) {
    return commands.filter((c) => c.name && fits(c.name, typed))
      .map((c) => ({ label: (c.name + ' ' + c.args).trim(), detail: c.does, text: head + c.name + ' ' }))
  }
  const command = commands.find((c) => c.name === verb)
  const rest = typed.slice(verb.length).replace(/^\s+/, '')
  if (!command || /\s/.test(rest)) return []
  const wants = command.args.split(' ')[0]
  const { pipelines, executions } = seen(state)
  const options = [...(/\bP\b/.test(wants) ? pipelines : []), ...(/\bE\b/.test(wants) ? executions : [])]
  // What has been typed whole comes first: Enter sends it then, and picks nothing else.
  return options.filter((o) => fits(o, rest)).sort((a, b) => Number(b === rest) - Number(a === rest)).slice(0, most)
    .map((o) => ({ label: o, detail: o.includes('#') ? 'execution' : 'pipeline', text: head + verb + ' ' + o + ' ' }))
}

// seen collects the pipelines and executions that were spoken of, newest first:
// in texts (webshop#42), and on cards, which write the name apart from the number.
function seen(state: State): { pipelines: string[]; executions: string[] } {
  const executions = new Set<string>()
  for (const messages of Object.values(state.messages)) {
    for (const m of messages ?? []) {
      for (const [, name, n] of m.text.matchAll(/([a-z][\w.@-]*)\s?#(\d+)/gi)) executions.add(`${name}#${n}`)
    }
  }
  const newest = [...executions].sort((a, b) => Number(b.split('#')[1]) - Number(a.split('#')[1]))
  return { pipelines: [...new Set(newest.map((e) => e.split('#')[0]))], executions: newest }
}

// spoken is what was typed as Slack sends it: escaped, names as mentions.
export function spoken(text: string, state: State): string {
  return escape(text).replace(/(^|\s)([@#])([\p{L}\p{N}._-]*[\p{L}\p{N}_-])/gu, (all, space, sign, name) => {
    const meant = (o: { name: string }) => o.name.toLowerCase() === name.toLowerCase()
    const id = (sign === '@' ? state.users : state.channels).find(meant)?.id
    return id ? `${space}<${sign}${id}>` : all
  })
}
