// Drives a headless Chromium over the DevTools protocol.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { deadlineMs, until } from './support.mjs';

/** The browser's path, if there is one. */
export function findChromium() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const paths = (process.env.PATH ?? '').split(delimiter)
    .flatMap((directory) => names.map((name) => join(directory, name)));
  return [process.env.CHROMIUM, ...paths].find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export class Chromium {
  #calls = new Map();
  #lastID = 0;

  static async start() {
    const browser = new Chromium();
    browser.profile = await mkdtemp(join(tmpdir(), 'sluice-chromium-'));
    browser.process = spawn(findChromium(), [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
      '--ignore-certificate-errors', '--remote-debugging-port=0', '--disable-extensions',
      `--user-data-dir=${browser.profile}`, 'about:blank',
    ], { stdio: ['ignore', 'ignore', 'pipe'] });
    const lines = createInterface({ input: browser.process.stderr });
    const timer = setTimeout(() => browser.process.kill('SIGKILL'), deadlineMs);
    for await (const line of lines) {
      const found = /DevTools listening on (ws:\S+)/.exec(line);
      if (!found) continue;
      browser.socket = new WebSocket(found[1]);
      break;
    }
    clearTimeout(timer);
    if (!browser.socket) throw new Error('the browser did not start');
    browser.process.stderr.resume();
    await new Promise((resolve, reject) => {
      browser.socket.onopen = resolve;
      browser.socket.onerror = reject;
    });
    browser.socket.onmessage = ({ data }) => browser.#received(JSON.parse(data));
    return browser;
  }

  #received({ id, result, error }) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(new Error(error.message));
    else call?.resolve(result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#lastID;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(reject, deadlineMs, new Error(`${method} was not answered`));
      const ended = (end) => (value) => {
        clearTimeout(timer);
        end(value);
      };
      this.#calls.set(id, { resolve: ended(resolve), reject: ended(reject) });
      this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }

  async open(url) {
    const { targetId } = await this.send('Target.createTarget', { url });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab(this, targetId, sessionId);
    // The first document is an empty one, and going to the next may end an evaluation.
    const isLoaded = `location.href.startsWith('${url}') && document.readyState === 'complete'`;
    await until(`${url} is loaded`, () => tab.evaluate(isLoaded).catch(() => false));
    return tab;
  }

  async close() {
    const gone = once(this.process, 'exit');
    this.send('Browser.close').catch(() => {});
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(timer);
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Tab {
  constructor(browser, target, session) {
    Object.assign(this, { browser, target, session });
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  /** What an expression, or what it promises, is in the page. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression, awaitPromise: true, returnByValue: true,
    });
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  freeze() {
    return this.send('Page.setWebLifecycleState', { state: 'frozen' });
  }

  thaw() {
    return this.send('Page.setWebLifecycleState', { state: 'active' });
  }

  async setOffline(offline) {
    await this.send('Network.enable');
    await this.send('Network.emulateNetworkConditions', {
      offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1,
    });
  }

  close() {
    return this.browser.send('Target.closeTarget', { targetId: this.target });
  }
}
