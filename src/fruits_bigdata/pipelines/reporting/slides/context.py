"""Slides: what it is about, the data, and what was there before."""

import numpy as np

from fruits_bigdata.pipelines.reporting.plots.style import shown
from fruits_bigdata.pipelines.reporting.slides import measured
from fruits_bigdata.pipelines.reporting.slides.french import count, megabytes, number, percent, seconds
from fruits_bigdata.pipelines.reporting.slides.layout import BOTTOM, INSIDE, MARGIN, TOP, Box, Deck
from fruits_bigdata.pipelines.reporting.slides.run import Run
from fruits_bigdata.pipelines.reporting.slides.writing import ACCENT, BODY, MUTED, SMALL
from fruits_bigdata.schemas import LABEL, PATH

# Kinds of rejections, as `vision` and `image_folder` name them.
_KINDS = {
    "empty file": "fichier vide",
    "not a JPEG or PNG image": "ni JPEG ni PNG",
    "truncated": "tronqué",
    "damaged": "abîmé",
    "too large": "trop grand",
    "vanished": "disparu",
    "unreadable": "illisible",
}
_PICTURES_IN_A_ROW = 5
_MAX_PICTURES = 15


def add_title(deck: Deck, run: Run) -> None:
    """Say what it is about and of which run."""
    deck.begin(
        "Fruits! : traiter un volume croissant d'images sur le cloud",
        f"""Bonjour. Je présente la chaîne de traitement de Fruits!, une jeune entreprise d'AgriTech. Elle
        transforme des photographies de fruits en descripteurs puis en composantes principales, avec PySpark,
        pour être exécutée sur AWS EMR. Les chiffres de ce support viennent de l'exécution du {run.day}
        ({run.counts}, {run.where}) ou sont cités de la documentation, avec la commande qui les redonne.
        {run.on_aws}""",
        foot=False,
    )
    subtitle = "PySpark, S3 et EMR : de l'image aux composantes principales"
    deck.text(subtitle, Box(MARGIN, 1.6, INSIDE, 0.6), 24, ACCENT)
    origin = [f"Exécution du {run.day} : {run.counts}", f"Lieu : {run.where}", run.on_aws]
    deck.text(origin, Box(MARGIN, 5.3, INSIDE, 1.5), BODY, MUTED)
    for i, (path, _) in enumerate(_pictured(run)[:9]):
        deck.picture(run.thumbnails[path], Box(MARGIN + 1.35 * i, 3.0, 1.2, 1.2))


def add_data(deck: Deck, run: Run) -> None:
    """Show the mission and the images of the run."""
    counts, done = run["counts"], run["featurization"]
    deck.begin(
        f"Contexte et données : {run.counts}",
        """L'entreprise veut reconnaître les fruits pour des robots cueilleurs. La mission est de reprendre la
        chaîne commencée par l'alternant, de la compléter par la diffusion des poids du modèle et par une
        réduction de dimension, et de la préparer à une forte croissance du volume. Les images sont rangées
        dans un dossier par classe ; le nom du dossier est l'étiquette. Une image inutilisable n'arrête rien :
        elle devient une ligne de la table des rejets, avec sa raison. À droite, des images de cette
        exécution.""",
    )
    usable, rejected = counts["features"], run["rejected_by_reason"]
    reasons = ", ".join(
        f"{_KINDS.get(kind, shown(kind))} ({number(n)})" for kind, n in list(rejected.items())[:3]
    )
    read = f", {megabytes(done['bytes_read'])} lus" if done["images"] else ""
    points = [
        "Mission : compléter et améliorer la chaîne de l'alternant, prête à un volume croissant",
        "Sortie : une matrice de composantes principales, en tables Delta et en CSV",
        f"Données : {count(counts['listed'], 'image')}, {count(counts['classes'], 'classe')}{read}",
        f"Utilisables : {number(usable)}, soit {percent(usable / counts['listed'])}",
        f"Rejets : {number(counts['rejected'])}, raisons : {reasons}" if rejected else "Rejets : aucun",
        "Jeu visé : Fruits-360, dossier Test, 22 688 images dans l'énoncé",
        "Contraintes : Union européenne seulement, coût minimal",
    ]
    deck.bullets(points, Box(MARGIN, TOP, 6.4, BOTTOM - TOP), 20)
    pictured = _pictured(run)[:_MAX_PICTURES]
    if not pictured:
        deck.text("Aucune image n'a pu être relue pour ce support.", Box(7.4, TOP, 5.3, 0.8), BODY, MUTED)
    for i, (path, label) in enumerate(pictured):
        row, column = divmod(i, _PICTURES_IN_A_ROW)
        left, top = 7.4 + 1.1 * column, TOP + 0.1 + 1.7 * row
        deck.picture(run.thumbnails[path], Box(left, top, 1.0, 1.0))
        deck.text(shown(label, 16), Box(left - 0.05, top + 1.0, 1.1, 0.5), SMALL, MUTED)


def add_before_and_after(deck: Deck, run: Run) -> None:
    """Compare the first version of the chain with this one."""
    usual, ours = measured.USUAL_2000, measured.OURS_2000
    factors = [number(row.values[2], 1) for row in (measured.OURS_500, ours, measured.OURS_ALL)]
    deck.begin(
        f"Avant et après : {factors[2]} fois plus rapide sur 11 992 images, et la chaîne est complète",
        f"""La première version est un notebook : binaryFile, une pandas UDF et Keras, dont le modèle est
        reconstruit dans chaque tâche. J'en ai écrit une réplique,
        benchmarks/featurization/usual_notebook.py, et je l'ai mesurée à côté de la chaîne, sur les mêmes
        2 000 images réelles et la même machine : {seconds(usual.values[0])} contre
        {seconds(ours.values[0])}, démarrage de Python, Java et Spark compris : le rapport est
        {factors[1]}. Sur 500 images il est {factors[0]}, sur 11 992 {factors[2]} : la reconstruction du
        modèle pèse moins quand il y a plus d'images. Commande : {ours.command}. La PCA, l'incrémental,
        les rejets et le contrôle des résultats n'existaient pas.""",
    )
    rows = f"""
    | Première version (réplique) | Chaîne livrée
    Lecture | binaryFile : ignore fichiers vides et noms en _ | liste fsspec, lecture en parallèle
    Modèle | Keras reconstruit dans chaque tâche | un LiteRT de 8,9 Mo, diffusé une fois
    Réduction | aucune | ACP exacte, axes gardés d'un jour à l'autre
    Image cassée | arrête le calcul | ligne dans rejected, avec sa raison
    Nouvelles images | tout est recalculé | seules les nouvelles sont calculées
    Après un arrêt | tout est à refaire | reprise, chaque ligne une seule fois
    2 000 images | {_speed(usual)} | {_speed(ours)}
    11 992 images | {_speed(measured.USUAL_ALL)} | {_speed(measured.OURS_ALL)}
    """
    note = (
        "2 cœurs, démarrage compris, médianes de trois tours ; "
        f"{ours.command} (docs/performance.md). {run.speed}"
    )
    deck.table(rows, Box(MARGIN, TOP, INSIDE, 4.6), (2.3, 4.9, 4.933), note=note)


def _speed(row: measured.Measured) -> str:
    return f"{seconds(row.values[0])} ({number(row.values[1])} images/s)"


def _pictured(run: Run) -> list[tuple[str, str]]:
    """Return path and label of the sampled images that have pictures, those of different classes first."""
    points = run.points.sort_values([LABEL, PATH])
    order = np.argsort(points.groupby(LABEL).cumcount(), kind="stable")
    points = points.iloc[order]
    return [pair for pair in zip(points[PATH], points[LABEL], strict=True) if pair[0] in run.thumbnails]
