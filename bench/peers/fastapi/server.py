"""The server that a published WebSocket authentication guide shows, as the guide shows it.

`verify_token` and `websocket_endpoint` follow the guide line by line.
The guide names a `manager` without printing it: this one serialises per socket, as `send_json` in a loop does.
The `/echo` path is added for the round-trip measurement alone.
"""

import os
import sys
import time
import uuid
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect, status
from jose import JWTError, jwt

SECRET_KEY = os.environ["BENCH_SECRET"]
ALGORITHM = "HS256"

app = FastAPI()


class ConnectionManager:
    """The accepted sockets and their users."""

    def __init__(self) -> None:
        self.active: dict[WebSocket, dict[str, Any]] = {}

    async def connect(self, websocket: WebSocket, user_info: dict[str, Any]) -> None:
        await websocket.accept()
        self.active[websocket] = user_info

    def disconnect(self, websocket: WebSocket) -> None:
        self.active.pop(websocket, None)

    async def broadcast(self, data: Any) -> None:
        for websocket in list(self.active):
            try:
                await websocket.send_json(data)
            except (RuntimeError, WebSocketDisconnect):
                # A socket that is gone must not end the loop for the others.
                self.disconnect(websocket)


manager = ConnectionManager()


def verify_token(token: str) -> dict[str, Any] | None:
    """Verify a JWT token and return its payload if valid."""
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])
    except JWTError:
        return None


@app.websocket("/ws")
async def websocket_endpoint(websocket: WebSocket) -> None:
    token = websocket.query_params.get("token")
    if not token:
        await websocket.close(code=status.WS_1008_POLICY_VIOLATION, reason="Missing authentication token")
        return
    payload = verify_token(token)
    if not payload:
        await websocket.close(code=status.WS_1008_POLICY_VIOLATION, reason="Invalid or expired token")
        return
    username = payload.get("sub")
    if not username:
        await websocket.close(code=status.WS_1008_POLICY_VIOLATION, reason="Invalid token payload")
        return
    await manager.connect(websocket, {"username": username})
    try:
        while True:
            data = await websocket.receive_json()
            data["user"] = username
            data["timestamp"] = time.time()
            data["requestId"] = str(uuid.uuid4())
            await manager.broadcast(data)
    except WebSocketDisconnect:
        manager.disconnect(websocket)


@app.websocket("/echo")
async def echo_endpoint(websocket: WebSocket) -> None:
    if not verify_token(websocket.query_params.get("token", "")):
        await websocket.close(code=status.WS_1008_POLICY_VIOLATION)
        return
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    host, port = sys.argv[1].rsplit(":", 1)
    uvicorn.run(app, host=host, port=int(port), backlog=4096, log_level="error", access_log=False)
