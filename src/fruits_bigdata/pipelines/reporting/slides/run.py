"""What the slides say of the run that made them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from fruits_bigdata.pipelines.reporting.plots.style import shown
from fruits_bigdata.pipelines.reporting.samples import Pictures
from fruits_bigdata.pipelines.reporting.slides.french import count, number, percent, seconds

# Kinds of rejections, as `vision` and `image_folder` name them.
_KINDS = {
    "empty file": "fichier vide",
    "not a JPEG or PNG image": "ni JPEG ni PNG",
    "unsupported format": "format non pris en charge",
    "truncated": "tronqué",
    "damaged": "abîmé",
    "too large": "trop grand",
    "vanished": "disparu",
    "unreadable": "illisible",
}
_STAGES = {
    "loading": "liste",
    "featurization": "descripteurs",
    "pca": "ACP",
    "export": "export",
    "reporting": "rapport",
}


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        metrics: As `metrics.json` has them.
        points: Sampled images on the plane of the first components: path, label, pc1, pc2.
        thumbnails: Their pictures, by path.
        examples: Pictures of the examples of neighbours, by path.
        region: Where its buckets would lie.
    """

    metrics: Mapping[str, Any]
    points: pd.DataFrame
    thumbnails: Pictures
    examples: Pictures
    region: str

    def __getitem__(self, part: str) -> Any:
        """Return a part of the metrics."""
        return self.metrics[part]

    @property
    def on_cluster(self) -> bool:
        """Whether the run's environment is the cluster's."""
        return bool(self["run"]["env"] == "emr")

    @property
    def day(self) -> str:
        """The day on which the run began, as 25/11/2026."""
        return f"{datetime.fromisoformat(self['run']['started']):%d/%m/%Y}"

    @property
    def where(self) -> str:
        """Where the run took place."""
        return "environnement emr" if self.on_cluster else "une seule machine, environnement local"

    @property
    def counts(self) -> str:
        """The numbers of images, as a phrase."""
        counts = self["counts"]
        phrase = f"{count(counts['listed'], 'image')} de {count(counts['classes'], 'classe')}"
        if counts["rejected"]:
            rejected = count(counts["rejected"], "rejetée")
            phrase += f", dont {rejected} ({percent(counts['rejected'] / counts['listed'])})"
        return phrase

    @property
    def speed(self) -> str:
        """What this run's featurization did, as a sentence."""
        done = self["featurization"]
        if not done["images"]:
            return "Cette exécution n'avait aucune image nouvelle à traiter."
        return (
            f"Cette exécution : {count(done['images'], 'image traitée', 'images traitées')}, "
            f"{count(round(done['images_per_second']), 'image')}/s."
        )

    @property
    def rejections(self) -> str:
        """How many images were rejected, and the most frequent reasons."""
        by_reason = list(self["rejected_by_reason"].items())[:3]
        reasons = ", ".join(f"{_KINDS.get(kind, shown(kind))} ({number(n)})" for kind, n in by_reason)
        return f"{number(self['counts']['rejected'])}, raisons : {reasons}" if by_reason else "aucun"

    @property
    def has_neighbours(self) -> bool:
        """Whether there are images whose neighbours can be judged."""
        nearest = self["neighbours"]
        return bool(nearest["examples"]) and nearest["nearest_label_accuracy"] is not None

    @property
    def times(self) -> str:
        """Where the run's time went, the longest stages first, as a sentence."""
        stages = sorted(self["run"]["seconds_by_stage"].items(), key=lambda stage: -stage[1])[:3]
        longest = ", ".join(f"{_STAGES.get(name, name)} {seconds(value)}" for name, value in stages)
        return f"Cette exécution : {seconds(self['run']['seconds'])} jusqu'au rapport, dont {longest}."

    @property
    def on_aws(self) -> str:
        """What has and what has not been seen on AWS, as a sentence."""
        if self.on_cluster:
            return (
                "Ces diapositives viennent d'une exécution dans l'environnement emr ; les mesures citées "
                "de la documentation viennent d'une machine locale."
            )
        return (
            "Rien n'a encore été exécuté sur AWS : ni cluster, ni compartiment S3, ni facture. "
            "Les mesures citées viennent d'une machine locale à 2 cœurs."
        )
