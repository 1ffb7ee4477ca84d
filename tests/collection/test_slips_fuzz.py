"""Whatever a client sends to the doors of devices and slips: never a 500, and a right slip beside it is booked all the same."""

import itertools

from market.auth.access import Role
from tests.collection.phone import Phone
from tests.collection.test_sync import FEE, SYNC, Town, town  # noqa: F401 - a fixture

ODD = (
    "",
    "\x00",
    "é" * 300,
    "🛒",
    "-1",
    "9" * 40,
    "null",
    "../../x",
    "' OR 1=1 --",
    "D01:\x00",
    "<script>",
    "%00",
    "D01-000001",
)


def test_no_door_breaks(town: Town) -> None:  # noqa: F811
    good = town.phone.slip(1, FEE)
    other = good["body"].replace('"number":1,', '"number":77,')
    bodies = [
        "\x00", '{"v":1}', "[]", "null", "{" * 500, other + " ", other.replace('"B-1"', '"\\u0000"'),
        other.replace('"pagi"', '"tak-ada-sesi"'), other.replace("2026-11-24", "0001-01-01"),
        other.replace('"number":77', '"number":1e3'), other.replace(str(FEE), "1e99"),
    ]  # fmt: skip
    told = town.send(
        *[town.phone.signed(body) for body in bodies], *[{"body": b, "signature": "A" * 86} for b in bodies], good
    )
    assert told[-1]["outcome"] == "taken"
    assert {a["outcome"] for a in told[:-1]} <= {"refused", "held", "taken"}
    at = {"at": town.phone.now.isoformat()}
    parcel = town.phone.parcel([], visits=[{"place_id": 2**62, "permit": 2**62, "outcome": "closed", **at}],
                               check_ins=[{"permit": 2**62, **at}, {"permit": 1, **at}])  # fmt: skip
    answer = town.client.post(SYNC, json=parcel)
    assert answer.status_code == 200 and {a["outcome"] for a in answer.json()["check_ins"]} == {"refused"}
    stranger = Phone()
    for odd in ODD:
        for said in ({"device": odd}, {"sent_at": odd}, {"slips": odd}, {"slips": [odd]}, {"waiting": odd}):
            assert town.client.post(SYNC, json=town.phone.parcel([]) | said).status_code == 422, said
        for said in ({"code": odd}, {"name": odd}, {"public_key": odd}, {"public_key": stranger.jwk | {"x": odd}}):
            body = {"code": "ABCDEFGH", "name": "HP", "public_key": stranger.jwk} | said
            assert town.client.post("/api/v1/devices", json=body).status_code in (409, 422), said
        for path in ("/api/v1/devices?cursor=", "/collect/round.json?market=", "/collect/round.json?session="):
            assert town.client.get(path, params={"device": odd, "market": odd}).status_code < 500
    for role, odd in itertools.product((Role.market_head,), ODD):
        if odd == ODD[0]:
            town.sign_in(town.client, role, market_id="KRN")
        code = town.phone.code
        posts = {
            "/office/devices/KRN/codes": {"collector": odd},
            "/office/devices/KRN/held": {"slip": odd, "answer": "accept", "note": odd},
            "/office/devices/KRN/explain": {"key": odd, f"note-{odd}": odd or "x"},
            f"/office/devices/KRN/{code}/re-enter": {"proofs": odd},
            f"/slips/{code}-000001": {"proof": odd},
        }
        for path, data in posts.items():
            assert town.client.post(path, data=data).status_code < 500, (path, odd)
        for path in ("/office/devices/KRN/{}", "/office/devices/{}/D01", "/slips/{}"):
            if odd and "/" not in odd and "\x00" not in odd:
                assert town.client.get(path.format(odd)).status_code < 500, (path, odd)
    page = town.client.get("/office/devices?market=KRN")
    assert page.status_code == 200 and "<script>" not in page.text.split("</head>")[1].split("<script")[0]
