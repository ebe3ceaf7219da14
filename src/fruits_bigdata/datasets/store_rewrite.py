"""What a store's rewriting has come to, so that a crash at any point leaves every row once."""

import json
import uuid
from dataclasses import asdict, dataclass, field
from typing import Literal

from fruits_bigdata.storage import open_location, whole_file

# Spark, pyarrow and Athena take no file for data whose name begins so.
FILE_NAME = "_rewrite.json"


@dataclass(frozen=True)
class StoreRewrite:
    """The state of the last rewriting of a store, one small file that is replaced whole.

    Attributes:
        phase: "writing": new files come, and only `replaced` counts. "removing": the new files are complete,
            and `replaced` counts no more. "done": every file counts.
        replaced: Names of the files that are rewritten.
        token: Unlike any other rewriting's, so that a reader notices one that came and went while it looked.
    """

    phase: Literal["writing", "removing", "done"]
    replaced: list[str] = field(default_factory=list)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def counts(self, name: str) -> bool:
        """Tell whether the rows of the data file `name` are the store's."""
        return self.phase == "done" or (name in self.replaced) == (self.phase == "writing")

    def save(self, store: str) -> None:
        """Write it into the store's folder."""
        with whole_file(f"{store}/{FILE_NAME}") as file:
            file.write(json.dumps(asdict(self), indent=2).encode())

    @classmethod
    def load(cls, store: str) -> "StoreRewrite":
        """Return the state that the store's folder holds; "done" if it was never rewritten."""
        fs, root = open_location(store)
        try:
            return cls(**json.loads(fs.cat_file(f"{root}/{FILE_NAME}")))
        except FileNotFoundError:
            return cls("done", token="")
