import socketCluster from 'socketcluster-client-14';
import socketClusterClient from 'socketcluster-client';

const where = {hostname: '127.0.0.1', port: Number(process.argv[2] ?? 8000)};

// An old client ...
const old = socketCluster.create(where);
console.log(await new Promise((resolve) => old.emit('hello', 'from 14', (error, answer) => resolve(answer))));
await new Promise((resolve) => old.subscribe('wall').on('subscribe', resolve));
const heardByOld = new Promise((resolve) => old.watch('wall', resolve));

// ... and a new one, at the same server.
const modern = socketClusterClient.create(where);
console.log(await modern.invoke('hello', 'from 20'));
const wall = modern.subscribe('wall');
await wall.listener('subscribe').once();
const heardByNew = wall.once();

old.emit('shout', 'both of us hear this');
console.log(await heardByOld, '/', await heardByNew);

old.disconnect();
modern.disconnect();
process.exit();
