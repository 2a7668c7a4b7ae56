// A chat: the topic is the room, and its log the history.
import { connect, element } from '/examples/token.js';

const topic = 'examples.chat';
const note = document.querySelector('#note');
const lines = document.querySelector('#lines');
const form = document.querySelector('#say');
let client;

function show(...parts) {
  const line = document.createElement('li');
  line.append(...parts);
  lines.append(line);
  line.scrollIntoView({ block: 'nearest' });
}

connect(async (connected, failed) => {
  client = connected;
  lines.replaceChildren();
  try {
    for await (const item of client.subscribe(topic, { from: 'last:50' })) {
      switch (item.type) {
        case 'event': {
          const time = element('time', new Date(item.time).toLocaleTimeString());
          show(time, element('b', `${item.data?.author}`), `${item.data?.text}`);
          break;
        }
        case 'gap':
          show(element('span', `${item.to - item.from + 1} lines are not kept any more`, 'note'));
          break;
        case 'reset': lines.replaceChildren(); break;
        case 'live': note.textContent = 'connected'; break;
        case 'disconnected': note.textContent = `not connected: ${item.reason}`;
      }
    }
  } catch (error) {
    failed(error);
  }
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { author, text } = form.elements;
  const data = { author: author.value, text: text.value };
  text.value = '';
  try {
    // Comes back as an event, like what the others say.
    await client.publish(topic, data);
  } catch (error) {
    note.textContent = error.message;
    text.value = data.text;
  }
});
