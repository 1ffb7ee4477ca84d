"""`market user add`, `market token add`."""

import getpass
import os
from argparse import Namespace
from datetime import timedelta

from market.auth import service
from market.auth.models import Role
from market.auth.principal import SYSTEM
from market.console import Commands, Out


def add(commands: Commands) -> None:
    """Register the verbs."""
    verb = commands.group("user", "People who sign in").verb("add", add_user, "Create a user and give a role")
    verb.add_argument("username")
    verb.add_argument("--name", help="full name (default: the user name)")
    verb.add_argument("--role", required=True, choices=[r.value for r in Role if r is not Role.vendor])
    verb.add_argument("--operator", help="the role holds at every market of this operator")
    verb.add_argument("--market", help="the role holds at this market")
    verb.add_argument("--password-env", metavar="NAME", help="read the password from this environment variable")
    verb = commands.group("token", "API tokens").verb("add", add_token, "Make a token for a program; it is shown once")
    verb.add_argument("username")
    verb.add_argument("--name", required=True, help="what the token is for")
    verb.add_argument("--days", type=int, default=90, help="days until it expires (90)")
    verb.add_argument(
        "--role",
        action="append",
        default=[],
        choices=[r.value for r in Role],
        help="hold the token to this role of the person; may be given more than once",
    )


def add_user(args: Namespace, out: Out) -> None:
    password = os.environ.get(args.password_env, "") if args.password_env else getpass.getpass("Kata sandi: ")
    with out.session() as session:
        user = service.add_user(session, args.username, name=args.name or args.username, password=password, by=SYSTEM)
        service.grant(
            session, args.username, Role(args.role), by=SYSTEM, operator_id=args.operator, market_id=args.market
        )
        out.result({"user": user.username, "role": args.role})


def add_token(args: Namespace, out: Out) -> None:
    with out.session() as session:
        life, roles = timedelta(days=max(1, min(args.days, 366))), [Role(r) for r in args.role]
        token = service.add_token(session, args.username, name=args.name, by=SYSTEM, life=life, roles=roles)
        out.result({"user": args.username, "token": token})
