"""Proof that the detectors detect: faults on demand are found, and tokens that are wrong are refused."""

from pathlib import Path
from typing import Any

from .rounds import Client, RunFailed, progress
from .servers import ALL, LIMIT, LIMIT_EACH, LYCHGATE_CHANNELS, Recipe, Server, StartFailed, faulty_limit
from .tokens import mint

RECEIVERS = 100
EVERY = 1000
_FLOOD = ["fanout", "--receivers", str(RECEIVERS), "--window", "64", "--seconds", "1"]
_PROBE = ["probe", "--seconds", "2"]


def prove(client: Client, absent: dict[str, str]) -> list[tuple[str, bool, str]]:
    """Run every proof and return what was proved, whether it held, and what was seen."""
    proofs = _prove_ledger(client)
    for recipe in ALL:
        if recipe not in (LIMIT_EACH, LYCHGATE_CHANNELS) and recipe.name not in absent:
            proofs.append(_prove_refusals(client, recipe))
    for name, held, seen in proofs:
        progress(f"{'proved' if held else 'NOT PROVED'}: {name} ({seen})")
    return proofs


def _prove_ledger(client: Client) -> list[tuple[str, bool, str]]:
    cases = [
        ("a faultless flood shows no trouble", LIMIT, None),
        ("dropped frames show as lost", faulty_limit("--drop-every", str(EVERY)), "lost"),
        ("doubled frames show as duplicated", faulty_limit("--duplicate-every", str(EVERY)), "duplicated"),
        ("swapped frames show as reordered", faulty_limit("--swap-every", str(EVERY)), "reordered"),
    ]
    proofs = []
    for name, recipe, kind in cases:
        try:
            with Server(recipe, client.setting) as server:
                result = client.run(server, _FLOOD)["result"]
        except (RunFailed, StartFailed) as error:
            proofs.append((name, False, str(error)))
            continue
        proofs.append((name, _as_made(result, kind), str(result["tally"])))
    return proofs


def _as_made(result: dict[str, Any], kind: str | None) -> bool:
    """Whether exactly the one kind of trouble was seen, as often as it was made."""
    tally = result["tally"]
    others = [tally[other] for other in ("lost", "duplicated", "reordered") if other != kind]
    if any(others) or result["strangers"]:
        return False
    if kind is None:
        return tally["delivered"] == result["messages"] * RECEIVERS
    made = result["messages"] * RECEIVERS / EVERY
    # A swap needs two frames in one batch, so some are not made; a drop or a copy always is,
    # but for the warm-up's few messages, which shift the count.
    return 0 < tally[kind] <= made + RECEIVERS and (kind == "reordered" or tally[kind] >= made - RECEIVERS)


def _prove_refusals(client: Client, recipe: Recipe) -> tuple[str, bool, str]:
    setting, shape = client.setting, recipe.token_shape
    good = mint(setting.secret, "user", shape)
    header, claims, signature = good.split(".")
    bad = {
        "another secret": mint("another-secret-of-sufficient-length-00000", "user", shape),
        "expired": mint(setting.secret, "user", shape, expires_in_s=-3600),
        "no signature": f"{header}.{claims}.",
        "another's claims": f"{header}.{mint(setting.secret, 'other', shape).split('.')[1]}.{signature}",
    }
    name = f"{recipe.name} takes a good token and refuses {len(bad)} bad ones"
    try:
        with Server(recipe, setting) as server:
            seen = {"good": _probe(client, server, good)}
            seen |= {what: _probe(client, server, token) for what, token in bad.items()}
    except (RunFailed, StartFailed) as error:
        return name, False, str(error)
    held = "answered" in seen.pop("good") and not any("answered" in words for words in seen.values())
    return name, held, "; ".join(f"{what}: {words}" for what, words in seen.items())


def _probe(client: Client, server: Server, token: str) -> str:
    path = Path(client.setting.work) / "probe-token"
    path.write_text(f"{token}\n")
    result = client.run(server, _PROBE, tokens=path)["result"]
    if result["answer"] is not None:
        return "answered"
    if result["http_status"] is not None:
        return f"HTTP {result['http_status']}"
    if result["close_code"] is not None:
        return f"close {result['close_code']}"
    return result["ending"] or "silence"
