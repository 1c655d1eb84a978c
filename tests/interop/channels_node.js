// Runs the steps in Node. Its one argument is the setup as JSON; it prints what was seen as JSON.

import { EventSource } from "eventsource";
import WebSocket from "ws";

import { steps } from "./channels_steps.js";

const setup = JSON.parse(process.argv[2]);
const { Centrifuge } = await import(setup.protobuf ? "centrifuge/build/protobuf" : "centrifuge");
console.log(JSON.stringify(await steps({ ...setup, Centrifuge, websocket: WebSocket, eventsource: EventSource })));
process.exit(0);
