// The demo's story in a real browser, as a visitor lives it: real clicks first,
// then again with the keyboard alone. axe looks at every step; no request may
// leave loopback. usage: node story.mjs ROLLCALL_BINARY [FOLDER_FOR_SCREENSHOTS]
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const [binary, shots] = process.argv.slice(2)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const patience = 60_000
const problems = []

const freePort = () => new Promise((ok) => {
  const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => ok(port)) })
})

/** Starts a demo in a folder of its own; resolves once it is ready. */
async function startDemo() {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-e2e-'))
  const demo = spawn(binary, ['demo', '--listen', `127.0.0.1:${await freePort()}`, '--data', join(dir, 'data')], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] })
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
  page.setDefaultTimeout(patience)
  page.on('request', (r) => { const h = new URL(r.url()).hostname; if (h !== '127.0.0.1' && r.url().startsWith('http')) problems.push(`a request left loopback: ${r.url()}`) })
  page.on('pageerror', (e) => problems.push(`the page threw: ${e.message}`))
  page.on('console', (m) => { if (m.type() === 'error' && !/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|ERR_CONNECTION_RESET|503|Failed to fetch/.test(m.text())) problems.push(`the console says: ${m.text()}`) })
  await page.goto(url)
  return page
}

/** axe's verdict on what is on the screen, and a picture in each look. */
async function look(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    for (const [size, viewport] of [['wide', { width: 1440, height: 900 }], ['narrow', { width: 390, height: 844 }]]) {
      await page.setViewportSize(viewport)
      await page.waitForTimeout(150)
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

async function tell(page, hand, looks) {
  const press = (l) => hand.press(page, l)
  const seen = (name) => (looks ? look(page, name) : Promise.resolve())
  const confirm = async () => { const ask = page.getByRole('alertdialog'); if (await ask.waitFor({ timeout: 3000 }).then(() => true, () => false)) await press(ask.getByRole('button').last()) }

  await says(page, 'Approve on the card for #43')
  await seen('1-approve')
  await press(button(page, 'webshop#43 waits for approval', 'Approve'))
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
  await says(page, 'Let it in')
  await seen('6-waits-at-the-door')
  await press(button(page, 'webshop #', /^Let #\d+ into/))
  await confirm()
  await says(page, 'Approve on the card')
  await press(button(page, 'waits for approval', 'Approve'))
  await confirm()
  await page.locator('.below').getByText(/OPS-|SHOP-/).first().waitFor()
  await says(page, 'That was the story')
  await page.locator('.watch').getByText('webshop#42').waitFor()
  await seen('7-ticket')
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic'] })
try {
  for (const [name, hand, looks] of [['by mouse', mouse, true], ['by keyboard', keyboard, false]]) {
    const began = Date.now()
    const demo = await startDemo()
    const page = await visit(browser, demo.url)
    try {
      await tell(page, hand, looks)
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
