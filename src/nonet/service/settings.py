"""The site's settings: defaults, then a TOML file, then the environment, then the command's options."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from nonet.errors import NonetError

FILE = Path("nonet.toml")


class Settings(BaseSettings):
    """Everything that can be set, each as `NONET_<NAME>` in the environment too; see docs/operate.md."""

    model_config = SettingsConfigDict(env_prefix="NONET_", extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=7777, ge=0, le=65_535, description="Port to listen on; 0 takes any free one.")
    public_url: str = Field(default="", description="How people reach the site, for links in shared pages.")
    trusted_proxies: list[str] = Field(
        default=[], description="Networks of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8."
    )
    data: Path = Field(default=Path("nonet-data"), description="Folder for the database, pictures and keys.")
    database: str = Field(default="", description="SQLAlchemy URL. Default: SQLite in the data folder.")
    store: str = Field(
        default="",
        description="fsspec URL for pictures, such as s3://bucket/nonet. Default: the data folder.",
    )
    model: str = Field(default="doodle", description="A model's name, folder or Hub id.")
    dtype: Literal["auto", "float32", "float16", "bfloat16", "int8"] = Field(
        default="auto", description="How the model's numbers are rounded; see `nonet.load`."
    )
    low_memory: bool = Field(default=False, description="Turn tokens into pixels one picture at a time.")
    engines: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Processes that draw. 0: for doodle one for each core, at most 4; else one.",
    )
    drawings_together: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Drawings that an engine works on at a time. 0: two of doodle's, eight of others'.",
    )
    pictures_max: int = Field(default=9, ge=1, le=64, description="Most pictures of one drawing.")
    candidates_max: int = Field(
        default=0, ge=0, le=256, description="Most candidates of one drawing; 0 for none."
    )
    safety: Literal["strict", "standard", "off"] = Field(
        default="strict", description="How careful the prompt policy is."
    )
    policy: Path | None = Field(
        default=None, description="A list of entries refused or allowed besides the shipped ones."
    )
    queue_max: int = Field(
        default=200, ge=1, le=100_000, description="Drawings that may wait; beyond it: queue_full."
    )
    queue_seconds: float = Field(default=3600, gt=0, description="A drawing that has waited so long expires.")
    caller_queue_max: int = Field(default=20, ge=1, description="Drawings that one caller may have waiting.")
    rate_anonymous: str = Field(
        default="30/minute;600/day", description="Drawings that a caller without a key may ask for."
    )
    rate_key: str = Field(default="600/minute", description="Drawings that a caller with a key may ask for.")
    api_keys: list[SecretStr] = Field(
        default=[],
        description="name:key or name:key:PRIORITY (high, normal, low); sha256=<hex> may stand for key.",
    )
    cors_origins: list[str] = Field(
        default=[],
        description="Other sites whose pages may use the APIs, without cookies or keys; * for all.",
    )
    frame_ancestors: list[str] = Field(
        default=[],
        description="Sites that may show the pages in a frame, such as https://huggingface.co; no others may.",
    )
    admin_token: SecretStr = Field(
        default=SecretStr(""), description="Opens /admin; without one there is no such page."
    )
    retention_days: float = Field(
        default=30, gt=0, description="Unpublished drawings are deleted after so many days."
    )
    attempts: int = Field(
        default=5, ge=1, description="Times a drawing is begun when what draws it keeps dying."
    )
    lease_seconds: float = Field(
        default=15, gt=0, description="A server that has been silent so long is taken for dead."
    )
    heartbeat_seconds: float = Field(default=3, gt=0, description="How often a server says that it lives.")
    hang_seconds: float = Field(
        default=60, gt=0, description="An engine silent for so long while it draws is replaced."
    )
    load_seconds: float = Field(
        default=600, gt=0, description="An engine that takes longer to load is replaced."
    )
    drain_seconds: float = Field(
        default=60, ge=0, description="Time for running drawings to end after SIGTERM."
    )
    invisible_mark: bool = Field(default=True, description="Put the invisible mark into pictures.")
    visible_mark: bool = Field(default=False, description="Write a small AI-generated line onto pictures.")
    sign: Literal["auto", "always", "never"] = Field(
        default="auto", description="Sign pictures (C2PA); auto does so where nonet[provenance] is installed."
    )
    certificate: Path | None = Field(
        default=None, description="PEM chain to sign with. Default: a local one is made."
    )
    certificate_key: Path | None = Field(default=None, description="PEM key of the certificate.")
    prompt_in_files: bool = Field(default=True, description="Write the prompt into the picture files.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged."
    )
    log_prompts: bool = Field(default=False, description="Write prompts into the log.")
    engine: str = Field(default="", description="module:function that makes another engine, for tests.")

    @field_validator("rate_anonymous", "rate_key")
    @classmethod
    def _is_rate(cls, value: str) -> str:
        from limits import parse_many

        parse_many(value)
        return value

    @property
    def database_url(self) -> str:
        """The database's URL with its default settled."""
        return self.database or f"sqlite:///{(self.data / 'nonet.sqlite').resolve()}"

    @property
    def store_url(self) -> str:
        """The store's URL with its default settled."""
        return self.store or str((self.data / "pictures").resolve())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options before environment before file; no other places."""
        sources = (init_settings, env_settings)
        file = os.environ.get("NONET_CONFIG_FILE", "")
        path = Path(file) if file else FILE
        return (*sources, TomlConfigSettingsSource(settings_cls, path)) if path.is_file() else sources


def read_settings(**options: Any) -> Settings:
    """The settings in force; options that are None are left to the environment and the file.

    Raises:
        NonetError: `config_invalid`, naming the setting.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'settings'}: {one['msg']}"
            for one in error.errors()
        )
        raise NonetError(
            "config_invalid", f"The settings are wrong: {problems}.", "See docs/operate.md."
        ) from None
    except (tomllib.TOMLDecodeError, ValueError) as error:
        # pydantic-settings has its own error for an environment value that is no JSON.
        raise NonetError(
            "config_invalid", f"The settings cannot be read: {error}.", "See docs/operate.md."
        ) from None
