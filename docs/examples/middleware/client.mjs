import socketClusterClient from 'socketcluster-client';

const port = Number(process.argv[2] ?? 8000);
const connect = (query) => socketClusterClient.create({hostname: '127.0.0.1', port, query, autoReconnect: false});

// begin refused
const outsider = connect({});
console.log('no room:', (await outsider.listener('connectAbort').once()).code);

const digger = connect({room: 'cellar'});
console.log('cellar:', (await digger.listener('connectAbort').once()).code);
// end refused

// begin allowed
const alice = connect({room: 'hall'});
const bob = connect({room: 'hall'});

const heard = alice.subscribe('talk').once();
await bob.invoke('open');
bob.subscribe('talk');
await bob.invokePublish('talk', 'Hello!');
console.log('alice heard:', await heard);
// end allowed

// begin blocked
const failed = await bob.subscribe('secrets').listener('subscribeFail').once();
console.log('secrets:', failed.error.name, '-', failed.error.message);

await bob.invoke('hidden').catch((error) => console.log('hidden:', error.name));
// end blocked

alice.disconnect();
bob.disconnect();
