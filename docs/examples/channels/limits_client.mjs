import socketClusterClient from 'socketcluster-client';

const socket = socketClusterClient.create({hostname: '127.0.0.1', port: Number(process.argv[2] ?? 8000)});

for (const name of ['first', 'second', 'third']) {
  const channel = socket.subscribe(name);
  const failed = channel.listener('subscribeFail').once();
  const subscribed = channel.listener('subscribe').once();
  const event = await Promise.race([failed, subscribed]);
  console.log(name, event.error ? event.error.name : 'subscribed');
}

await socket.invokePublish('first', 'hello').catch((error) => console.log(error.message));

socket.disconnect();
