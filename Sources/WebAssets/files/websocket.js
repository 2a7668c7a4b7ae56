// Follows a topic or a pattern over a WebSocket. The position is kept in the tab, so that a lost
// connection, and a page that is loaded again, go on behind what was shown.
const note = document.querySelector('#note');
const lines = document.querySelector('#lines');
let token;
let topic;
/** `from` is where topics begin that are not among the cursors. */
let position;

document.querySelector('#sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  ({ token, topic } = Object.fromEntries(new FormData(event.target)));
  const kept = sessionStorage.getItem(`position of ${topic}`);
  position = JSON.parse(kept) ?? { from: 'last:20', cursors: {} };
  event.target.hidden = true;
  follow();
});

function follow() {
  const address = `${location.origin.replace('http', 'ws')}/v1/connect`;
  const socket = new WebSocket(address, 'sluice.v1');
  let watch;
  let asked = 0;
  // A page can't send headers with it: the token is the first message, and never in the address.
  const send = (message) => socket.send(JSON.stringify(message));
  socket.onopen = () => {
    if (token) send({ type: 'auth', token });
    send({ type: 'subscribe', id: 1, topic, ...position });
  };
  socket.onmessage = ({ data }) => {
    // The broker says something every 20 s, or the connection is dead.
    clearTimeout(watch);
    watch = setTimeout(() => socket.close(), 40_000);
    const message = JSON.parse(data);
    if (message.type === 'closing') asked = message.reconnect_after_ms ?? 0;
    take(message);
  };
  socket.onclose = ({ code, reason }) => {
    clearTimeout(watch);
    note.textContent = `closed: ${code} ${reason}`;
    // Up to 4199 it is to come back; from 4200 on it needs another token, or can't succeed.
    if (code < 4200) setTimeout(follow, asked + 500 + 1000 * Math.random());
  };
}

function take(message) {
  const { cursors } = position;
  switch (message.type) {
    case 'subscribed':
      position.from = message.resume_from ?? position.from;
      for (const [name, { cursor }] of Object.entries(message.topics)) {
        if (cursor) cursors[name] = cursor;
      }
      break;
    case 'event':
    case 'gap':
    case 'reset':
      show(JSON.stringify(message));
      if (message.cursor) cursors[message.topic] = message.cursor;
      else delete cursors[message.topic];
      break;
    case 'cursor': Object.assign(cursors, message.cursors); break;
    case 'live': note.textContent = 'live'; break;
    case 'error': note.textContent = `${message.code}: ${message.message} ${message.remedy}`;
  }
  sessionStorage.setItem(`position of ${topic}`, JSON.stringify(position));
}

function show(text) {
  lines.append(Object.assign(document.createElement('li'), { textContent: text }));
}
