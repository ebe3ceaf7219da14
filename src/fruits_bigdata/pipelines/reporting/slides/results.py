"""Slides: what the components show of this run's images."""

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fruits_bigdata.pipelines.reporting.plots.components import plot_components
from fruits_bigdata.pipelines.reporting.plots.style import shown
from fruits_bigdata.pipelines.reporting.samples import Pictures
from fruits_bigdata.pipelines.reporting.slides.french import count, number, percent
from fruits_bigdata.pipelines.reporting.slides.layout import BOTTOM, INSIDE, MARGIN, TOP, Box, Deck
from fruits_bigdata.pipelines.reporting.slides.run import Run
from fruits_bigdata.pipelines.reporting.slides.writing import ACCENT, MUTED, SMALL, WARN

_MAX_EXAMPLES, _MAX_NEIGHBOURS = 4, 5


def add_plane(deck: Deck, run: Run) -> None:
    """Show the images on the plane of the first two components."""
    pca, counts = run["pca"], run["counts"]
    ratios = pca["explained_variance_ratio"]
    two = percent(sum(ratios[:2]))
    axes = "deux composantes montrent" if len(ratios) > 1 else "une composante montre"
    deck.begin(
        f"Résultats : {axes} {two} de la variance",
        f"""Chaque point est une image, sa couleur est sa classe. Les deux premiers axes ne montrent que
        {two} de la variance : des classes qui se recouvrent ici peuvent être séparées par les axes
        suivants. La page explorer.html du rapport permet de survoler chaque point. Les images qui se
        ressemblent, par couleur et par forme, sont proches, sans qu'aucune étiquette n'ait servi. Dans
        cette exécution : {run.counts}.""",
    )
    file = io.BytesIO()
    draw_plane(run.points, pca, run.thumbnails).savefig(file, format="png", dpi=130)
    deck.picture(file.getvalue(), Box(MARGIN, TOP - 0.05, 8.3, BOTTOM - TOP + 0.05))
    lost = f"{percent(pca['reconstruction_error'])} par {count(pca['n_components'], 'composante')}"
    findings = [
        f"Images : {number(counts['features'])}, {count(counts['classes'], 'classe')}",
        f"Variance perdue : {lost}",
    ]
    accuracy = pca["nearest_label_accuracy"]["scores"]
    if accuracy is None:
        findings.append("Voisins : trop peu d'images par classe pour les compter")
    elif counts["classes"] == 1:
        findings.append("Voisins : une seule classe, il n'y a rien à confondre")
    else:
        findings.append(f"Plus proche image de même classe : {percent(accuracy)} des cas")
    if pca["neighbour_overlap"] is not None:
        findings.append(f"Mêmes voisins qu'avec 1 280 descripteurs : {percent(pca['neighbour_overlap'])}")
    pairs = [
        " et ".join(shown(label, 18) for label in pair["classes"]) for pair in pca["closest_classes"][:3]
    ]
    closest = f"Classes les plus proches : {' ; '.join(pairs)}"
    findings.append(closest if pairs else "Une seule classe : rien à comparer entre classes")
    deck.bullets(findings, Box(9.2, TOP, 3.55, BOTTOM - TOP), 17)


def add_neighbours(deck: Deck, run: Run) -> None:
    """Show examples and their nearest, those that go wrong first."""
    nearest = run["neighbours"]
    examples = nearest["examples"][:_MAX_EXAMPLES]
    accuracy = nearest["nearest_label_accuracy"]
    if not examples or accuracy is None:
        deck.begin(
            "Résultats : pas assez d'images pour comparer des voisines",
            """Il faut au moins deux images d'une même classe pour juger des voisines. Cette exécution
            n'en a pas assez, par exemple parce que chaque dossier n'a qu'une image ; les autres
            résultats restent valables.""",
        )
        nothing = "Aucune des images échantillonnées n'a de voisine de sa classe."
        deck.text(nothing, Box(MARGIN, 3.2, INSIDE, 0.8), 22, MUTED)
        return
    deck.begin(
        "Résultats : les images les plus proches, dans une seule classe"
        if run["counts"]["classes"] == 1
        else f"Résultats : la plus proche voisine a la même classe dans {percent(accuracy)} des cas",
        f"""Pour chaque image de l'échantillon ({count(nearest["sampled"], "image")}), on cherche les images
        dont les scores sont les plus proches. Les premières lignes sont choisies parce qu'elles se
        trompent le plus ; le cadre bleu dit même classe, le rouge une autre. Ce taux élevé prouve peu :
        Fruits-360 montre le même fruit tournant sur son axe, donc des images presque identiques. Il
        montre que l'ACP ne détruit pas l'information, pas qu'un classifieur serait aussi bon sur de
        nouvelles photographies.""",
    )
    height = (BOTTOM - TOP) / _MAX_EXAMPLES
    side = height - 0.42
    for i, example in enumerate(examples):
        top = TOP + height * i
        _show(deck, run, example, Box(MARGIN + 0.4, top, side, side), MUTED, shown(example["label"], 20))
        for j, near in enumerate(example["neighbours"][:_MAX_NEIGHBOURS]):
            same = near["label"] == example["label"]
            box = Box(3.1 + 1.25 * j, top, side, side)
            caption = "même classe" if same else shown(near["label"], 18)
            _show(deck, run, near, box, ACCENT if same else WARN, caption)
    wrong = min(nearest["chosen_for_errors"], len(examples))
    choice = f"Choix : {count(wrong, 'première ligne', 'premières lignes')} où l'erreur est la plus grande"
    if wrong == 0:
        choice = "Choix : aucune erreur dans l'échantillon, donc des exemples ordinaires"
    elif wrong == len(examples):
        choice = "Ces lignes ont été choisies parce qu'elles se trompent le plus"
    points = [
        "À gauche : une image ; à sa droite : ses plus proches voisines",
        "Cadre bleu : même classe ; cadre rouge : une autre",
        choice,
        f"Parmi toutes les voisines : {percent(nearest['neighbour_label_accuracy'])} de la même classe",
        "À lire avec prudence : dans Fruits-360 chaque fruit tourne, ses images se ressemblent",
    ]
    deck.bullets(points, Box(9.6, TOP, 3.15, BOTTOM - TOP), 16)


def _show(deck: Deck, run: Run, image: Any, box: Box, colour: str, caption: str) -> None:
    picture = run.examples.get(image["path"])
    if picture is None:
        deck.text("illisible", Box(box.left - 0.1, box.top + 0.3, box.width + 0.2, 0.35), SMALL, MUTED)
    else:
        deck.picture(picture, box, colour)
    place = Box(box.left - 0.2, box.top + box.height + 0.01, box.width + 0.6, 0.38)
    deck.text(caption, place, SMALL, colour)


def draw_plane(points: pd.DataFrame, pca_quality: Mapping[str, Any], pictures: Pictures) -> Any:
    """Draw the report's plane of the first two components with French words: a matplotlib Figure."""
    figure, _ = plot_components(points, pca_quality, pictures)
    figure.set_size_inches(9.4, 6)
    figure.suptitle("")
    (axes,) = figure.axes
    ratios = [*pca_quality["explained_variance_ratio"], 0.0]
    axes.set_title("", loc="left")
    axes.set_xlabel(f"Composante 1 ({percent(ratios[0])} de la variance)", fontsize=15)
    axes.set_ylabel(f"Composante 2 ({percent(ratios[1])})" if len(ratios) > 2 else "", fontsize=15)
    axes.tick_params(labelsize=13)
    for legend in figure.legends:
        for text in legend.get_texts():
            text.set_fontsize(13)
    return figure
