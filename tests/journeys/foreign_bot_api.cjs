// Starts the npm package telegram-test-api: a Bot API server that others wrote. Prints its address, runs until killed.
const TelegramServer = require('telegram-test-api');

const server = new TelegramServer({ port: Number(process.argv[2]), host: '127.0.0.1', storage: 'RAM', storeTimeout: 600 });
server.start().then(() => console.log('ready'));
