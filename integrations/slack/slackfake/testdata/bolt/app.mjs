// An app made with an unmodified Bolt, for the test of the local Slack: it only
// uses what Bolt's documentation shows. What it hears it prints, a JSON line each.
// usage: node app.mjs API_URL PORT   (PORT 0: by Socket Mode)
import bolt from '@slack/bolt'

const [slackApiUrl, port] = process.argv.slice(2)
const say = (what, more = {}) => console.log(JSON.stringify({ what, ...more }))
const socketMode = port === '0'
const { App, LogLevel } = bolt
const clientOptions = { slackApiUrl }
const app = new App({
  token: 'xoxb-local', signingSecret: 'local-signing-secret', clientOptions, logLevel: LogLevel.ERROR,
  ...(socketMode ? { socketMode, appToken: 'xapp-local' } : { endpoints: ['/slack/commands', '/slack/interactions', '/slack/options', '/slack/events'] }),
})

const text = (t) => ({ type: 'plain_text', text: t })
const form = (title, blocks = []) => ({
  type: 'modal', callback_id: 'form', title: text(title), submit: text('Send'),
  blocks: [
    { type: 'input', block_id: 'reason', label: text('Reason'), element: { type: 'plain_text_input', action_id: 'reason' } },
    { type: 'section', block_id: 'menu', text: text('Pick'), accessory: { type: 'external_select', action_id: 'target', min_query_length: 0 } },
    ...blocks,
  ],
})

app.command('/bolt', async ({ command, ack, respond, client }) => {
  await ack({ response_type: 'ephemeral', text: `you said ${command.text}` })
  await respond({ text: 'said through the response URL' })
  const posted = await client.chat.postMessage({
    channel: command.channel_id, text: 'a card',
    blocks: [
      { type: 'section', text: { type: 'mrkdwn', text: '*card*' } },
      { type: 'actions', elements: [{ type: 'button', action_id: 'press', value: '42', text: text('Press') }] },
    ],
    metadata: { event_type: 'bolt_card', event_payload: { id: 42 } },
  })
  say('command', { text: command.text, ts: posted.ts })
})

app.action('press', async ({ ack, action, body, client }) => {
  await ack()
  const opened = await client.views.open({ trigger_id: body.trigger_id, view: form('Loading') })
  await client.views.update({ view_id: opened.view.id, hash: opened.view.hash, view: form('Form') })
  say('button', { value: action.value, payload: body.message.metadata?.event_payload })
})

app.action('target', async ({ ack, action }) => {
  await ack()
  say('picked', { value: action.selected_option.value })
})

app.options('target', async ({ options, ack }) => {
  await ack({ options: [{ text: text(`${options.value} one`), value: '1' }, { text: text('two'), value: '2' }] })
})

app.view('form', async ({ ack, view, body, client }) => {
  const reason = view.state.values.reason.reason.value
  if (reason === 'update') {
    await ack({ response_action: 'update', view: form('Again') })
  } else if (reason === 'wrong') {
    await ack({ response_action: 'errors', errors: { reason: 'not that one' } })
  } else {
    await ack()
    await client.views.publish({ user_id: body.user.id, view: { type: 'home', blocks: [{ type: 'section', text: { type: 'mrkdwn', text: `home: ${reason}` } }] } })
  }
  say('submit', { reason, picked: view.state.values.menu?.target?.selected_option?.value })
})

app.shortcut('global', async ({ ack, shortcut, client }) => {
  await ack()
  await client.views.open({ trigger_id: shortcut.trigger_id, view: form('Shortcut') })
  say('shortcut', { type: shortcut.type })
})

app.shortcut({ type: 'message_action', callback_id: 'message' }, async ({ ack, shortcut, respond }) => {
  await ack()
  await respond({ text: `about ${shortcut.message.ts}`, response_type: 'ephemeral' })
  say('message shortcut', { ts: shortcut.message.ts })
})

app.event('app_home_opened', async ({ event }) => say('home', { user: event.user }))
app.event('app_mention', async ({ event, say: answer }) => {
  await answer({ text: 'yes?', thread_ts: event.ts })
  say('mention', { text: event.text })
})
app.error(async (error) => say('error', { message: String(error) }))

await app.start(socketMode ? undefined : Number(port))
say('started')
