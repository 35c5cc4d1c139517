// The demo's story in a real browser, as a visitor lives it: real clicks first,
// then again with the keyboard alone. axe looks at every step; no request may
// leave loopback. The same with pipelines that stay in AWS (demo --aws).
// usage: node story.mjs ROLLCALL_BINARY [FOLDER_FOR_SCREENSHOTS [shop|aws]]
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const [binary, shots, only] = process.argv.slice(2)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const timeout = 60_000
const problems = []

const freePort = () => new Promise((ok) => {
  const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => ok(port)) })
})

/** Starts a demo in a folder of its own; resolves once it is ready. */
async function startDemo(...more) {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-e2e-'))
  const demo = spawn(binary, ['demo', '--listen', `127.0.0.1:${await freePort()}`, '--data', join(dir, 'data'), ...more], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise((ok, bad) => {
    let out = ''
    demo.stdout.on('data', (d) => { out += d; const m = out.match(/ready at (http\S+)/); if (m) ok(m[1]) })
    demo.on('exit', (code) => bad(new Error(`the demo ended with ${code}: ${out}`)))
  })
  const end = async () => {
    demo.removeAllListeners('exit')
    const gone = new Promise((ok) => demo.on('exit', ok))
    demo.kill('SIGINT')
    await gone
    rmSync(dir, { recursive: true, force: true })
  }
  return { url, end }
}

async function visit(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(timeout)
  page.on('request', (r) => { const h = new URL(r.url()).hostname; if (h !== '127.0.0.1' && r.url().startsWith('http')) problems.push(`a request left loopback: ${r.url()}`) })
  page.on('pageerror', (e) => problems.push(`the page threw: ${e.message}`))
  page.on('console', (m) => { if (m.type() === 'error' && !/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|ERR_CONNECTION_RESET|503|Failed to fetch/.test(m.text())) problems.push(`the console says: ${m.text()}`) })
  await page.goto(url)
  return page
}

/** axe's verdict on what is on the screen, and a picture in each look. */
async function look(page, name, tab) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    for (const [size, viewport] of [['wide', { width: 1440, height: 900 }], ['narrow', { width: 390, height: 844 }]]) {
      await page.setViewportSize(viewport)
      await page.waitForTimeout(150)
      if (tab && size === 'narrow') await page.getByRole('tab', { name: tab }).click()
      await page.evaluate(axe)
      const { violations } = await page.evaluate(() => window.axe.run({ exclude: [['iframe']] }))
      for (const v of violations) problems.push(`axe at ${name} ${size} ${colorScheme}: ${v.id} — ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(' | ')}`)
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) problems.push(`${name} ${size}: wider than the screen`)
      if (shots) await page.screenshot({ path: join(shots, `${name}-${size}-${colorScheme}.png`) })
    }
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  await page.setViewportSize({ width: 1440, height: 900 })
}

const says = (page, text) => page.locator('.story .next').filter({ hasText: text }).waitFor()
/** The button of that name on the newest message that says so. */
const button = (page, text, name) => page.getByRole('main').locator('[data-ts]').filter({ hasText: text }).getByRole('button', { name }).last()

/** Presses with the mouse. */
const mouse = {
  async press(page, locator) { await locator.scrollIntoViewIfNeeded(); await locator.click() },
}

/** Gets there and presses with the keyboard alone. */
const keyboard = {
  async press(page, locator) {
    const target = await locator.elementHandle()
    for (let i = 0; i < 400; i++) {
      if (await target.evaluate((e) => e === document.activeElement)) { await page.keyboard.press('Enter'); return }
      await page.keyboard.press(i < 200 ? 'Tab' : 'Shift+Tab')
    }
    throw new Error(`the keyboard never reaches ${await target.evaluate((e) => e.outerHTML.slice(0, 120))}`)
  },
}

async function play(page, hand, looks) {
  const press = (l) => hand.press(page, l)
  const seen = (name) => (looks ? look(page, name) : Promise.resolve())
  const confirm = async () => { const ask = page.getByRole('alertdialog'); if (await ask.waitFor({ timeout: 3000 }).then(() => true, () => false)) await press(ask.getByRole('button').last()) }

  await says(page, 'Approve on the card for #43')
  await seen('1-approve')
  await press(button(page, 'webshop #43 is waiting for approval', 'Approve'))
  await confirm()
  await says(page, '#43 is being deployed')
  await press(page.getByRole('button', { name: 'kill -9' })) // in mid-deploy: it goes on where it was
  await page.locator('.survived').waitFor()
  await page.locator('.watch').getByText('webshop#43').waitFor()
  await page.frameLocator('iframe').getByText(/coupon/i).first().waitFor()
  await seen('2-coupons')
  await says(page, 'Roll back')
  await seen('3-errors')
  await press(button(page, 'webshop #43', /Roll back/))
  const form = page.getByRole('dialog')
  const target = await form.getByRole('combobox').inputValue()
  if (!target.startsWith('#42')) problems.push(`the form preselects ${target}, not #42`)
  await seen('4-roll-back')
  await press(form.getByRole('button', { name: /Roll back/ }))
  await page.locator('.watch').getByText('webshop#42').waitFor()
  await says(page, 'careless')
  await seen('5-back')
  await press(page.locator('.break').getByRole('button', { name: 'Push a careless fix' }))
  await says(page, 'Production is locked: click Let only')
  await seen('6-waits-before-the-lock')
  await press(button(page, 'webshop #', /^Let only #\d+ in/))
  await confirm()
  await says(page, 'Approve on the card')
  await press(button(page, 'is waiting for approval', 'Approve'))
  await confirm()
  await page.locator('.below').getByText(/OPS-|SHOP-/).first().waitFor()
  await says(page, 'Push a good fix')
  await page.locator('.watch').getByText('webshop#42').waitFor()
  await seen('7-ticket')
  await press(page.locator('.break').getByRole('button', { name: 'Push a good fix' }))
  await says(page, 'Production is locked: click Let only')
  await press(button(page, 'webshop #', /^Let only #\d+ in/))
  await confirm()
  await says(page, 'Approve on the card')
  await press(button(page, 'is waiting for approval', 'Approve'))
  await confirm()
  await says(page, 'That was the story')
}

/** The story of pipelines that stay in AWS: one waits for approval, one fails and is rolled back. */
async function playAWS(page, hand, looks) {
  const press = (l) => hand.press(page, l)
  const seen = (name) => (looks ? look(page, name, 'AWS') : Promise.resolve())
  const confirm = async () => { const ask = page.getByRole('alertdialog'); if (await ask.waitFor({ timeout: 3000 }).then(() => true, () => false)) await press(ask.getByRole('button').last()) }
  const stage = (pipeline, name) => page.locator('.console .pipeline').filter({ hasText: pipeline }).locator('.stage').filter({ hasText: name })

  await says(page, 'Approve on the card for webshop#2')
  await seen('aws-1-approve')
  await press(button(page, 'webshop #2 is waiting for approval', 'Approve'))
  await confirm()
  await stage('webshop-pipeline', 'Production').getByText(/via rollcall/).waitFor() // AWS has one answer, with both names
  await press(page.getByRole('button', { name: 'kill -9' })) // AWS goes on, and so does rollcall
  await page.locator('.survived').waitFor()
  await says(page, 'payments#3 failed in AWS: click Roll back Production')
  await seen('aws-2-failed')
  await press(button(page, 'payments #3', /Roll back/))
  const form = page.getByRole('dialog')
  const target = await form.getByRole('combobox').inputValue()
  if (!target.startsWith('#2')) problems.push(`the form preselects ${target}, not #2`)
  await press(form.getByRole('button', { name: /Roll back/ }))
  await stage('payments-pipeline', 'Production').getByText('Rollback').waitFor()
  await page.locator('.console .transition').getByText('Transition disabled').waitFor()
  await says(page, 'Approve webshop#3 in the AWS console')
  const newest = async () => { const jump = page.getByRole('button', { name: /New messages/ }); if (looks && await jump.isVisible()) await jump.click() }
  await newest()
  await seen('aws-3-console')
  await press(page.locator('.console').getByRole('button', { name: /^Approve/ }))
  await page.getByRole('main').locator('[data-ts]').filter({ hasText: /user\/bob/ }).first().waitFor() // said in the channel, with the ARN
  await says(page, 'That was the story')
  await newest()
  await seen('aws-4-outside')
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic'] })
try {
  for (const [name, hand, looks, story, more] of [
    ['by mouse', mouse, true, play, []], ['by keyboard', keyboard, false, play, []],
    ['in AWS, by mouse', mouse, true, playAWS, ['--aws']], ['in AWS, by keyboard', keyboard, false, playAWS, ['--aws']],
  ].filter(([, , , , more]) => !only || (only === 'aws') === more.length > 0)) {
    const began = Date.now()
    const demo = await startDemo(...more)
    const page = await visit(browser, demo.url)
    try {
      await story(page, hand, looks)
    } catch (e) {
      problems.push(`${name}: ${e.message}`)
      await page.screenshot({ path: join(tmpdir(), 'rollcall-e2e-failed.png') })
    }
    await page.context().close()
    await demo.end()
    console.log(`the story ${name}: ${Math.round((Date.now() - began) / 1000)} s`)
  }
} finally {
  await browser.close()
}
for (const p of new Set(problems)) console.log(p)
process.exit(problems.length ? 1 : 0)
