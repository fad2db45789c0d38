import socketClusterClient from 'socketcluster-client';

const [port, ...faults] = process.argv.slice(2);

for (const [fault, token] of faults.map((each) => each.split('='))) {
  let stored = token;
  const authEngine = {
    loadToken: async () => stored,
    saveToken: async (name, saved) => { stored = saved; },
    removeToken: async () => { stored = null; },
  };
  const socket = socketClusterClient.create({hostname: '127.0.0.1', port: Number(port), authEngine});
  const {isAuthenticated, authError} = await socket.listener('connect').once();
  await socket.invokePublish('anything');
  const text = authError ? `${authError.name} "${authError.message}"` : 'no error';
  console.log(`${fault}: ${isAuthenticated ? 'somebody' : 'nobody'}, ${text}, token ${stored ? 'kept' : 'forgotten'}`);
  socket.disconnect();
}
