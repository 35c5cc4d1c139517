// Slack's newer blocks, a message's shortcuts and what is shown of links, on the
// page of the local Slack: drawn, used by mouse and keyboard, and looked at by axe
// in both looks and sizes. The blocks are put into what the page reads.
// usage: node blocks.mjs ROLLCALL_BINARY [FOLDER_FOR_SCREENSHOTS]
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const [binary, shots] = process.argv.slice(2)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const problems = []
const expect = (holds, what) => { if (!holds) problems.push(what) }

const plain = (text) => ({ type: 'plain_text', text })
const section = (text) => ({ type: 'section', text: { type: 'mrkdwn', text } })
const raw = (text) => ({ type: 'raw_text', text })
const categories = ['May', 'June', 'July']
const points = (...values) => values.map((value, i) => ({ label: categories[i], value }))
const bars = (type, title) => ({ type: 'data_visualization', title, chart: { type, axis_config: { categories, y_label: 'Deployments' }, series: [{ name: 'webshop', data: points(12, 9, 17) }, { name: 'billing', data: points(3, 5, -1) }] } })
const row = (i) => [raw(`webshop #${i}`), { type: 'raw_number', value: i * 7 % 10 }, { type: 'action_cell', element: { type: 'button', action_id: `details.${i}`, text: plain('Details') } }]
const blocks = [
  { type: 'header', level: 1, text: plain('A heading of level 1') }, { type: 'header', level: 4, text: plain('A heading of level 4') },
  ...['default', 'info', 'warning', 'error', 'success'].map((level) => ({ type: 'alert', level, text: { type: 'mrkdwn', text: `An alert: *${level}*` } })),
  { type: 'container', title: plain('12 commits'), subtitle: plain('by 3 people'), is_collapsible: true, default_collapsed: true, child_blocks: [section('· hidden until it is unfolded')] },
  { type: 'container', title: plain('A box'), has_header_divider: true, child_blocks: [section('· always shown')] },
  { type: 'data_table', block_id: 'table', caption: 'Rollback targets', page_size: 5, rows: [[raw('Execution'), raw('Hours'), raw('Act')], ...[1, 2, 3, 4, 5, 6, 7].map(row)] },
  bars('bar', 'Deployments'), bars('line', 'Lead time'), bars('area', 'Waiting'),
  { type: 'data_visualization', title: 'Outcomes', chart: { type: 'pie', segments: [{ label: 'good', value: 7 }, { label: 'rolled back', value: 2 }] } },
  { type: 'plan', title: 'Stages', tasks: [{ type: 'task_card', task_id: '1', title: 'Build', status: 'complete' }, { type: 'task_card', task_id: '2', title: 'Deploy', status: 'in_progress' }] },
  { type: 'task_card', task_id: '3', title: 'Smoke test', status: 'error' },
  { type: 'actions', elements: [{ type: 'overflow', action_id: 'more', options: [{ text: plain('One'), value: '1' }] }, { type: 'datepicker', action_id: 'day', placeholder: plain('Day') }, { type: 'checkboxes', action_id: 'tick', options: [{ text: plain('Lock the stage'), value: '1' }] }] },
]

const port = await new Promise((ok) => { const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => ok(port)) }) })
const dir = mkdtempSync(join(tmpdir(), 'rollcall-e2e-'))
const demo = spawn(binary, ['demo', '--listen', `127.0.0.1:${port}`, '--data', join(dir, 'data')], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] })
const url = await new Promise((ok, bad) => {
  let out = ''
  demo.stdout.on('data', (d) => { out += d; const m = out.match(/ready at (http\S+)/); if (m) ok(m[1]) })
  demo.on('exit', (code) => bad(new Error(`the demo ended with ${code}: ${out}`)))
})
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
try {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage()
  page.setDefaultTimeout(60_000)
  page.on('pageerror', (e) => problems.push(`the page threw: ${e.message}`))
  const posted = []
  page.on('request', (r) => { if (r.method() === 'POST') posted.push([new URL(r.url()).pathname.split('/').pop(), r.postDataJSON()]) })
  await page.route('**/workspace/api/state*', async (route) => {
    const response = await route.fetch()
    const state = await response.json()
    state.app.shortcuts = [{ name: 'Create ticket', callback: 'ticket', message: true }, { name: 'Start a pipeline', callback: 'start', message: false }]
    const channel = state.channels.find((c) => !c.direct).id
    const ts = `${Math.floor(Date.now() / 1000) + 3600}.000100`
    state.messages[channel].push({ channel, ts: (globalThis.at ??= ts), user: state.app.user, text: 'blocks', blocks, edits: 0, reactions: {}, unfurls: [{ url: 'https://rollcall.test/x', title: 'webshop #43', text: 'is *in Production*' }] })
    await route.fulfill({ response, json: state })
  })
  await page.route('**/workspace/api/{click,choose,shortcut}', (route) => route.fulfill({ json: { ok: true } }))
  const address = new URL(url)
  await page.goto(url)
  await page.goto(new URL('/workspace', address).href)

  const message = page.locator('.message').filter({ hasText: 'Rollback targets' }).last()
  const table = message.getByRole('table', { name: 'Rollback targets' })
  await table.waitFor()
  const column = () => table.locator('tbody tr th').allInnerTexts()
  expect((await column()).length === 5, 'the table shows its first page')
  await message.getByRole('button', { name: /^Next/ }).click()
  expect((await column()).join() === 'webshop #6,webshop #7', `the second page shows ${await column()}`)
  await table.getByRole('button', { name: 'Hours' }).click()
  expect((await column())[0] === 'webshop #3', `sorted by hours, the first is ${(await column())[0]}`)
  await table.getByRole('button', { name: 'Hours' }).press('Enter')
  expect((await column())[0] === 'webshop #7', `sorted down, the first is ${(await column())[0]}`)
  await table.getByRole('button', { name: 'Details' }).first().click()
  expect(posted.some(([what, body]) => what === 'click' && body.action === 'details.7' && body.block === 'table'), 'a button in a table is pressed')
  const hidden = message.getByText('hidden until it is unfolded')
  expect(!(await hidden.isVisible()), 'a collapsed container hides what is in it')
  await message.locator('summary').press('Enter')
  expect(await hidden.isVisible(), 'the keyboard unfolds a container')
  await message.hover()
  await message.getByRole('button', { name: 'More actions' }).last().click()
  await page.getByRole('menuitem', { name: /Create ticket/ }).click()
  expect(posted.some(([what, body]) => what === 'shortcut' && body.callback === 'ticket' && body.ts), 'a shortcut is used on a message')
  await page.getByRole('button', { name: 'Shortcuts' }).click()
  await page.getByRole('menuitem', { name: /Start a pipeline/ }).click()
  expect(posted.some(([what, body]) => what === 'shortcut' && body.callback === 'start' && !body.ts), 'a global shortcut is used')

  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    for (const [size, viewport] of [['wide', { width: 1440, height: 2400 }], ['narrow', { width: 390, height: 2800 }]]) {
      await page.setViewportSize(viewport)
      await page.waitForTimeout(150)
      await page.evaluate(axe)
      const { violations } = await page.evaluate(() => window.axe.run({ exclude: [['iframe']] }))
      for (const v of violations) problems.push(`axe ${size} ${colorScheme}: ${v.id} — ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(' | ')}`)
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) problems.push(`${size}: wider than the screen`)
      if (shots) await page.screenshot({ path: join(shots, `blocks-${size}-${colorScheme}.png`) })
    }
  }
} finally {
  await browser.close()
  demo.removeAllListeners('exit')
  const gone = new Promise((ok) => demo.on('exit', ok))
  demo.kill('SIGINT')
  await gone
  rmSync(dir, { recursive: true, force: true })
}
for (const p of problems) console.error(p)
console.log(problems.length ? `${problems.length} problems` : 'the newer blocks are drawn, used, and accessible')
process.exit(problems.length ? 1 : 0)
