"""Settings from the environment (prefix MARKET_) or `.env`; frozen, and refused where they would be unsafe."""

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEVELOPMENT_SECRET = "development-only-secret-change-me"  # noqa: S105 - refused outside development, below
VAR = Path("var")


class Settings(BaseSettings):
    """Names and meanings: docs/operations.md."""

    model_config = SettingsConfigDict(env_prefix="MARKET_", env_file=".env", frozen=True, extra="ignore")

    database_url: str = "sqlite:///var/market.db"
    read_database_url: str | None = None
    read_lag: float = Field(default=5.0, gt=0)
    listen_database_url: str | None = None
    database_prepare: bool = True
    pool_size: int = Field(default=10, ge=1, le=200)
    pool_overflow: int = Field(default=10, ge=0, le=200)
    pool_wait: float = Field(default=10.0, gt=0)
    secret_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    environment: Literal["development", "production"] = "development"
    base_url: str = "http://127.0.0.1:8000"
    timezone: str = "Asia/Makassar"
    now: datetime | None = None

    stripe_api_key: SecretStr = SecretStr("")
    stripe_api_base: str | None = None
    stripe_webhook_secret: SecretStr = SecretStr("")
    stripe_min_idr: int = Field(default=10_000, ge=1)

    snap_base_url: str | None = None
    snap_path_prefix: str = ""
    snap_channel_id: str = "95221"
    snap_partner_id: str = ""
    snap_merchant_id: str = ""
    snap_client_id: str = ""
    snap_client_secret: SecretStr = SecretStr("")
    snap_private_key_file: Path | None = None
    snap_provider_public_key_file: Path | None = None
    snap_inbound_client_id: str = ""
    snap_inbound_secret: SecretStr = SecretStr("")
    snap_status_table: Literal["standard", "shifted"] = "standard"
    snap_status_file: Path | None = None

    qris_static: str = ""

    receipt_key_file: Path = VAR / "receipt-key.pem"
    personal_keys_file: Path = VAR / "personal-keys.json"
    message_gateway_url: str | None = None
    metrics_token: SecretStr = SecretStr("")
    slow_query_ms: int = Field(default=500, ge=0)
    otlp_endpoint: str | None = None

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @model_validator(mode="after")
    def _refuse_what_is_unsafe(self) -> Self:
        if self.now is not None and self.now.tzinfo is None:
            raise ValueError("MARKET_NOW needs an offset, e.g. 2026-11-24T10:00:00+08:00")
        if not self.production:
            return self
        secret = self.secret_key.get_secret_value()
        if secret == DEVELOPMENT_SECRET or len(secret) < 32:
            raise ValueError("production needs MARKET_SECRET_KEY: at least 32 random characters")
        if self.now is not None:
            raise ValueError("MARKET_NOW is refused in production")
        if not self.base_url.startswith("https://"):
            raise ValueError("production needs MARKET_BASE_URL with https://")
        for name in ("receipt_key_file", "personal_keys_file"):
            if not getattr(self, name).is_file():
                raise ValueError(f"production needs MARKET_{name.upper()}: the file does not exist")
        return self


@lru_cache
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
