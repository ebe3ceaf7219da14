"""Slides: growth and its critical operations, the demonstration, and what is left to do."""

from fruits_bigdata.pipelines.reporting.slides import measured
from fruits_bigdata.pipelines.reporting.slides.french import number, seconds
from fruits_bigdata.pipelines.reporting.slides.layout import INSIDE, MARGIN, TOP, Box, Deck
from fruits_bigdata.pipelines.reporting.slides.run import Run
from fruits_bigdata.pipelines.reporting.slides.writing import MUTED

_STAGES = {
    "loading": "liste",
    "featurization": "descripteurs",
    "pca": "ACP",
    "export": "export",
    "reporting": "rapport",
}


def add_critical_operations(deck: Deck, run: Run) -> None:
    """Name what grows with the data, how the chain answers, and what was measured."""
    listing = f"{seconds(measured.SCALE_LISTING.values[0])}, {number(measured.SCALE_LISTING.values[1])} Mo"
    comparing = seconds(measured.SCALE_COMPARING.values[0])
    delay, delayed, usual = map(number, (*measured.S3_LATENCY.values, measured.S3_READS.values[0]))
    reading = f"+{delay} ms : {delayed} images/s au lieu de {usual}"
    inferring, fitting = number(measured.STEADY.values[1]), seconds(measured.PCA_100000[0].values[0])
    runs, kills = measured.KILLED.values
    killing = f"{kills} arrêts brutaux, rien de perdu"
    new, _, share = measured.GROWTH_NEW.values
    growing = f"{new} nouvelles : {number(share, 1)} % du calcul"
    deck.begin(
        "Passage à l'échelle : sept opérations critiques, chacune avec sa mesure",
        f"""Pour chaque opération, j'ai cherché ce qui grandit avec les données et ce qui casse en
        premier. Les mesures viennent d'une machine à 2 cœurs et sont rejouables par les commandes de
        docs/performance.md. Deux millions de lignes ont été simulées sans pixels. Ces chiffres datent
        d'avant les tables Delta, dont le pilote compare les clés lui-même : ils sont à mesurer à nouveau.
        Après {kills} arrêts brutaux de {runs} exécutions, chaque résultat est égal à celui d'une exécution
        sans arrêt. Ce qui ne passerait pas à cent millions d'images, c'est d'écrire tout le CSV chaque
        jour : il faudrait alors s'en passer. Sur un cluster, ces mesures restent à faire.""",
    )
    rows = f"""
    Opération | Ce qui grandit | Réponse | Mesure (2 cœurs)
    Lister | nombre d'images | 1 requête pour 1 000 objets de S3 | 2 millions : {listing}
    Trier le nouveau | la table features | clés seules, en mémoire, sans Spark | 2 millions : {comparing}
    Lire S3 | la latence | 1 requête par image, 8 fils | {reading}
    Inférer | le calcul | poids diffusés, 1 interpréteur par cœur | {inferring} images/s
    Ajuster l'ACP | des matrices 1280 x 1280 | 32 sommes partielles au plus | 100 000 lignes : {fitting}
    Écrire | fichiers, lecteurs | tables Delta, validées lot par lot | {killing}
    Chaque jour | le total | seul le nouveau est calculé | {growing}
    """
    note = [
        _times(run),
        "docs/performance.md, pca.md, guarantees.md : benchmarks.scale, .featurization.s3, .pca, "
        ".growth, .kill_test",
    ]
    deck.table(rows, Box(MARGIN, TOP, INSIDE, 4.55), (2.0, 2.6, 3.7, 3.833), note=note)


def _times(run: Run) -> str:
    """Return where this run's time went, the longest stages first."""
    spent = run["run"]
    stages = sorted(spent["seconds_by_stage"].items(), key=lambda stage: -stage[1])[:3]
    longest = ", ".join(f"{_STAGES.get(name, name)} {seconds(value)}" for name, value in stages)
    return f"Cette exécution : {seconds(spent['seconds'])} jusqu'au rapport, dont {longest}."


def add_demonstration(deck: Deck, run: Run) -> None:
    """Plan the demonstration."""
    deck.begin(
        "Démonstration : dix minutes, en local d'abord, puis sur EMR",
        """La démonstration locale marche sans compte AWS et montre tout ce qui est promis : la même
        commande, le même code. La partie EMR suit la même trame : les piles CloudFormation, le paquet
        déposé dans S3, l'exécution, le notebook, la suppression. Elle est préparée, et n'a pas encore été
        jouée sur AWS. Si le cluster n'est pas disponible le jour venu, je montre le notebook enregistré
        avec ses sorties. On termine en supprimant la pile du cluster, devant le jury : c'est la garantie
        que rien ne continue à coûter.""",
    )
    rows = """
    Temps | Geste | Ce qu'on voit
    0 - 1 min | make run IMAGES=.../Test PARAMS=limit=300 | liste, diffusion, images/s, résultats
    1 - 2 min | make run, encore | rien à refaire : l'incrémental
    2 - 4 min | kedro viz, puis explorer.html | le graphe des tables ; les images sur le plan
    4 - 6 min | notebooks/fruits_emr.ipynb | binaryFile, diffusion, ACP égale à Spark ML
    6 - 7 min | kedro run --env emr --params s3.region=us-east-1 | le refus du garde-fou RGPD
    7 - 9 min | fruits-emr up, run, notebook | le même code sur le cluster, sorties dans S3
    9 - 10 min | fruits-emr down | plus de cluster, plus de coût
    """
    note = (
        "Exécution présente : environnement emr."
        if run.on_cluster
        else "Les gestes locaux sont couverts par les tests ; la partie EMR n'a jamais été jouée."
    )
    deck.table(rows, Box(MARGIN, TOP, INSIDE, 4.55), (1.9, 5.3, 4.933), note=note)


def add_limits(deck: Deck, run: Run) -> None:
    """Say what was not shown, and what comes next."""
    deck.begin(
        "Limites et suite : ce qui n'est pas encore démontré",
        f"""Je préfère dire ce qui n'est pas démontré. {run.on_aws} Les modèles CloudFormation sont
        vérifiés, et déployés sur un AWS imité ; ni le vrai EMR, ni le vrai IAM, ni le réseau n'ont été
        essayés. Les prix sont en partie supposés. Les images de Fruits-360 sont trop faciles pour juger
        la reconnaissance. La première étape est donc une exécution d'une heure sur un petit cluster, qui
        remplacera les hypothèses par des mesures.""",
    )
    deck.text("Limites", Box(MARGIN, TOP, 5.8, 0.5), 22, MUTED, bold=True)
    points = [
        f"AWS : {run.on_aws[0].lower()}{run.on_aws[1:]}",
        "Mesures : 2 cœurs partagés ; les rapports se transposent, pas les durées",
        "Fruits-360 : fond blanc, images presque identiques ; le terrain sera plus dur",
        "Modèle : ImageNet, non ré-entraîné sur des fruits",
        "Prix : en partie supposés, à relire chez AWS",
    ]
    deck.bullets(points, Box(MARGIN, TOP + 0.55, 5.8, 4.7), 19)
    deck.text("Suite", Box(6.95, TOP, 5.8, 0.5), 22, MUTED, bold=True)
    points = [
        "Premier cluster : une heure, 3 nœuds, mesurer durée, coût et lecture S3",
        "Photographies réelles : décodage réduit, cinq fois plus rapide à 12 mégapixels",
        "int8 : 1,3 fois plus rapide, à valider sur les vraies images",
        "Classifieur : apprendre sur les scores, jeu de test séparé par fruit",
        "Exploitation : exécution planifiée, alerte de budget, EMR Serverless à comparer",
    ]
    deck.bullets(points, Box(6.95, TOP + 0.55, 5.8, 4.7), 19)
