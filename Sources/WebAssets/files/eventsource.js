// Follows a topic with EventSource, and publishes with fetch. The last id is kept in the tab, so
// that a lost connection, and a page that is loaded again, go on behind what was shown.
const note = document.querySelector('#note');
const lines = document.querySelector('#lines');
let token;
let topic;

const headers = (more) => ({ ...(token ? { authorization: `Bearer ${token}` } : {}), ...more });
const events = () => `/v1/topics/${encodeURIComponent(topic)}/events`;
const again = () => setTimeout(follow, 1000 + 2000 * Math.random());

document.querySelector('#sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  ({ token, topic } = Object.fromEntries(new FormData(event.target)));
  event.target.hidden = true;
  follow();
});

async function follow() {
  const key = `last id of ${topic}`;
  const query = new URLSearchParams({ follow: true, from: 'last:20' });
  const last = sessionStorage.getItem(key);
  if (last) query.set('from', last.startsWith('offset:') ? last : `after:${last}`);
  if (token) {
    // EventSource sends no headers, and a token has no place in an address: a ticket is good once.
    const answer = await fetch('/v1/tickets', { method: 'POST', headers: headers() })
      .catch(() => null);
    if (!answer?.ok) {
      note.textContent = answer ? (await answer.json()).detail : 'the broker is not there';
      if (!answer || answer.status >= 500) again();
      return;
    }
    query.set('ticket', (await answer.json()).ticket);
  }
  const source = new EventSource(`${events()}?${query}`);
  source.onopen = () => (note.textContent = 'connected');
  source.onmessage = ({ data, lastEventId }) => {
    const message = JSON.parse(data);
    if (['event', 'gap', 'reset'].includes(message.type)) show(data);
    sessionStorage.setItem(key, lastEventId);
  };
  // Its own way to come back would use the ticket again.
  source.onerror = () => {
    source.close();
    note.textContent = 'not connected';
    again();
  };
}

document.querySelector('#publish').addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = new FormData(event.target).get('data');
  // With the same key, trying again appends nothing twice.
  const key = crypto.randomUUID();
  for (let tries = 0; tries < 5; tries++) {
    const answer = await fetch(events(), {
      method: 'POST', body,
      headers: headers({ 'content-type': 'application/json', 'idempotency-key': key }),
    }).catch(() => null);
    if (answer?.ok) return;
    if (answer && !answer.headers.has('retry-after')) {
      note.textContent = (await answer.json()).detail;
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 + 1000 * Math.random()));
  }
});

function show(text) {
  lines.append(Object.assign(document.createElement('li'), { textContent: text }));
}
