// Pictures of golden messages, forms and App Homes as the local Slack shows them:
// wide and dark, and as on a phone, for docs/images.
// usage: node gallery.mjs GALLERY_BINARY FOLDER NAME=FILE.json…
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { chromium } from 'playwright-core'

const [binary, folder, ...pairs] = process.argv.slice(2)
const pictures = pairs.map((p) => { const [name, file] = p.split('='); return { name, file, key: basename(file, '.json') } })
const somewhere = pictures.find((p) => !JSON.parse(readFileSync(p.file, 'utf8')).type)?.key // a channel in which forms are opened
mkdirSync(folder, { recursive: true })

const gallery = spawn(binary, pictures.map((p) => p.file), { stdio: ['ignore', 'pipe', 'inherit'] })
const url = await new Promise((ok, bad) => {
  let out = ''
  gallery.stdout.on('data', (d) => { out += d; const m = out.match(/is at (http\S+)/); if (m) ok(m[1]) })
  gallery.on('exit', (code) => bad(new Error(`the gallery ended with ${code}`)))
})
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] })

const isForm = ({ file }) => JSON.parse(readFileSync(file, 'utf8')).type === 'modal'

/** What a picture is of, once it is on the page. */
async function subject(page, { key, file }, narrow) {
  const { type } = JSON.parse(readFileSync(file, 'utf8'))
  if (type === 'modal') {
    await page.evaluate(([channel, text]) => fetch('/workspace/api/command', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ as: 'UDAN', channel, text }) }), [somewhere, key])
    return page.getByRole('dialog').last()
  }
  if (narrow) await page.getByRole('button', { name: 'switch channel' }).click()
  if (type === 'home') {
    await page.getByRole('button', { name: 'rollcall' }).last().click()
    return page.getByRole('main')
  }
  await page.locator('button:not(.switch)').filter({ hasText: new RegExp(`^#?\\s*${key}\\s*$`) }).last().click()
  return page.locator('[data-ts]').last()
}

try {
  // Forms come last: whoever looks has them open from then on.
  for (const picture of pictures.toSorted((a, b) => isForm(a) - isForm(b))) {
    for (const [look, viewport, colorScheme] of [['wide', { width: 1100, height: 900 }, 'light'], ['dark', { width: 1100, height: 900 }, 'dark'], ['narrow', { width: 390, height: 844 }, 'light']]) {
      const context = await browser.newContext({ viewport, colorScheme, timezoneId: 'Europe/Berlin', reducedMotion: 'reduce', deviceScaleFactor: 1 })
      const page = await context.newPage()
      page.setDefaultTimeout(10_000)
      await page.goto(url + '?as=UDAN')
      const it = await subject(page, picture, look === 'narrow')
      await it.waitFor()
      await page.waitForTimeout(200)
      await it.screenshot({ path: join(folder, `message-${picture.name}-${look}.png`) })
      await context.close()
    }
  }
} finally {
  await browser.close()
  gallery.removeAllListeners('exit')
  gallery.kill()
}
