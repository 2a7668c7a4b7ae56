// Runs the tests of sluice.js against a broker: node Tests/JavaScript/run.mjs PATH-OF-SLUICE
// [FILE…]. Exits with 0 if all pass; a browser's tests are skipped where there is none.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Broker } from './support.mjs';

const boundMs = 15 * 60_000;
const here = dirname(fileURLToPath(import.meta.url));
const [binary, ...only] = process.argv.slice(2);
if (!binary) {
  console.error('usage: node Tests/JavaScript/run.mjs PATH-OF-SLUICE [FILE…]');
  process.exit(2);
}

const broker = await Broker.start(resolve(binary), {
  'limits-heartbeat-interval': '3s', 'limits-backlog-bytes': '64KiB',
  'limits-topics-per-subscribe': 200, 'limits-revocation-interval': '1s',
  'limits-token-age': '1s',
});
let code = 1;
try {
  const { directory, data, port, url, token, ca } = broker;
  const files = (await readdir(here)).filter((name) => name.endsWith('.test.mjs')).sort()
    .filter((name) => !only.length || only.some((part) => name.includes(part)));
  const tests = spawn(process.execPath, [
    '--experimental-websocket', '--no-warnings', '--test', '--test-concurrency=1',
    '--test-timeout=240000',
    ...files.map((name) => join(here, name)),
  ], {
    stdio: 'inherit', detached: true,
    env: {
      ...process.env, NODE_EXTRA_CA_CERTS: ca,
      SLUICE_JS_BROKER: JSON.stringify({
        binary: broker.binary, directory, data, port, url, token, ca,
      }),
    },
  });
  // The tests' own brokers and browsers are of their process group, and end decently.
  const stop = () => {
    process.kill(-tests.pid, 'SIGTERM');
    setTimeout(() => process.kill(-tests.pid, 'SIGKILL'), 20_000).unref();
  };
  const timer = setTimeout(stop, boundMs);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
  [code] = await once(tests, 'exit');
  clearTimeout(timer);
} finally {
  await broker.remove();
}
process.exit(code ?? 1);
