"""Passwords: hashed with Argon2id; short ones and those that leaked lists are full of are refused."""

import re

from pwdlib import PasswordHash

from market.errors import Invalid
from market.words import N_, say

SHORTEST_PASSWORD = 12
HASHER = PasswordHash.recommended()


class WeakPassword(Invalid):
    message = N_("Kata sandi terlalu lemah.")


def hash_password(password: str, username: str = "", *, field: str = "password") -> str:
    """Argon2id. Refuses short ones, the user's own name, and one character over and over."""
    if len(password) < SHORTEST_PASSWORD:
        raise WeakPassword(fields={field: say(N_("Paling sedikit {n} huruf."), n=SHORTEST_PASSWORD)})
    if len(set(password)) < 5 or (username and username.lower() in password.lower()) or _is_common(password):
        raise WeakPassword(fields={field: say(N_("Terlalu mudah ditebak."))})
    return HASHER.hash(password)


# What leaked lists hold most of, here and elsewhere. A password made of nothing but these, digits and runs is guessed.
COMMON = re.compile(
    r"katasandi|kata[ -]?sandi|password|passwort|rahasia|indonesia|denpasar|jakarta|surabaya|bandung|garuda|persib|sayang|cinta|"
    r"cantik|bismillah|alhamdulillah|merdeka|pasar|pedagang|petugas|bendahara|kepala|loket|kantor|admin|administrator|master|"
    r"login|secret|default|changeme|welcome|monkey|dragon|football|baseball|princess|sunshine|superman|iloveyou|letmein|"
    r"trustno|qwerty|qwertz|asdfgh|zxcvbn|qazwsx|1q2w3e|abcdef|uiop|hjkl|bali|test|user|[0-9!@#$%^&*._ -]+|(.)\1{2,}"
)
LOOKS = str.maketrans("@4013$5!7", "aaoiessit")  # as people write letters when a digit is asked for


def _is_common(password: str) -> bool:
    """Whether less than five characters are left once common words, digits and repeats are taken away."""
    plain = password.lower()
    return any(len(COMMON.sub("", written)) < 5 for written in (plain, plain.translate(LOOKS)))
