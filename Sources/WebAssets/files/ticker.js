// A ticker: one pattern for all symbols, at most five prices a second of each.
import { connect, element } from '/examples/token.js';

const symbols = { ACME: 120, INIT: 48, OMNI: 310 };
const note = document.querySelector('#note');
const table = document.querySelector('#prices');
const box = document.querySelector('#publish');
/** By topic: the last prices, and the row that shows them. */
const stocks = new Map();
let client;

connect(async (connected, failed) => {
  client = connected;
  const options = { from: 'last:30', maxRate: 5, onError: failed };
  client.subscribe('examples.ticker.*', {
    ...options,
    onEvent: ({ topic, data }) => typeof data?.price === 'number' && show(topic, data.price),
    onLive: () => (note.textContent = 'connected'),
    onDisconnected: ({ reason }) => (note.textContent = `not connected: ${reason}`),
    onReset: ({ topic }) => {
      stocks.get(topic)?.row.remove();
      stocks.delete(topic);
    },
  });
});

function show(topic, price) {
  if (!stocks.has(topic)) {
    const row = table.appendChild(document.createElement('tr'));
    stocks.set(topic, { prices: [], row });
  }
  const { prices, row } = stocks.get(topic);
  const change = price - (prices.at(-1) ?? price);
  prices.push(price);
  if (prices.length > 30) prices.shift();
  const least = Math.min(...prices);
  const step = (Math.max(...prices) - least) / 7 || 1;
  const bars = prices.map((each) => '▁▂▃▄▅▆▇█'[Math.round((each - least) / step)]).join('');
  row.replaceChildren(
    element('td', topic.split('.').at(-1)), element('td', price.toFixed(2)),
    element('td', change.toFixed(2), change < 0 ? 'down' : 'up'), element('td', bars));
}

setInterval(async () => {
  if (!box.checked || !client) return;
  try {
    const events = Object.keys(symbols).map((symbol) => {
      symbols[symbol] *= 1 + (Math.random() - 0.5) / 50;
      const data = { price: Number(symbols[symbol].toFixed(2)) };
      return { topic: `examples.ticker.${symbol}`, key: symbol, data };
    });
    await client.publishAll(events);
  } catch (error) {
    box.checked = false;
    note.textContent = error.message;
  }
}, 500);
