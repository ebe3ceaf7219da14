"""Slides: the Spark chain step by step, the broadcast, the featurization and the PCA."""

from itertools import accumulate

from fruits_bigdata.pipelines.reporting.slides import measured
from fruits_bigdata.pipelines.reporting.slides.charts import bars, line
from fruits_bigdata.pipelines.reporting.slides.french import count, megabytes, number, percent, seconds
from fruits_bigdata.pipelines.reporting.slides.layout import BOTTOM, INSIDE, MARGIN, TOP, Box, Deck
from fruits_bigdata.pipelines.reporting.slides.run import Run
from fruits_bigdata.pipelines.reporting.slides.writing import TABLE


def add_steps(deck: Deck, run: Run) -> None:
    """Draw the chain with this run's numbers, and say where each table goes on S3."""
    counts, pca = run["counts"], run["pca"]
    k, n_features, listed = pca["n_components"], number(pca["n_features"]), number(counts["listed"])
    scores, lines = number(counts["published"]["pca"]), number(counts["published"]["pca_csv"])
    deck.begin(
        f"La chaîne Spark pas à pas : {count(counts['listed'], 'image')}, puis {n_features} "
        f"descripteurs, puis {k}",
        f"""Cinq pipelines Kedro, lancés par une seule commande, kedro run. Loading liste les images sans les
        ouvrir. Featurization compare la liste à la table features, ne garde que les images nouvelles, les
        lit, les décode et les fait passer dans MobileNetV2 chez les travailleurs. Pca additionne des
        moments et projette. Export écrit le CSV et vérifie que descripteurs, scores et CSV portent les
        mêmes images. Reporting fait les figures, la page à explorer et ce support. Les tables sont des
        tables Delta : des fichiers Parquet, et un journal qui dit lesquels comptent. Les travailleurs
        écrivent les fichiers, directement dans S3 avec l'environnement emr ; le pilote les valide lot par
        lot, et un lecteur voit une version entière, ancienne ou nouvelle. Cette
        exécution a publié {lines} lignes de CSV.""",
    )
    steps = [
        ("1. Lister", "loading", f"{listed} images"),
        ("2. Diffuser", "broadcast", megabytes(run["featurization"]["broadcast_bytes"])),
        ("3. Décrire", "featurization", f"{number(counts['features'])} x {n_features}"),
        ("4. Réduire", "pca", f"{scores} x {k}"),
        ("5. Exporter", "export", f"{lines} lignes"),
        ("6. Rendre compte", "reporting", "figures, support"),
    ]
    for i, step in enumerate(steps):
        left = MARGIN + 2.06 * i
        deck.box(step, Box(left, TOP, 1.8, 1.25), 15, strong=i in (1, 3))
        if i:
            deck.arrow((left - 0.26, TOP + 0.62), (left, TOP + 0.62))
    place = "S3" if run.on_cluster else "le disque local"
    rows = f"""
    Table | Sur S3 (emr) | Contenu | Format | Lignes
    images d'entrée | Test/ | un dossier par classe | JPEG, PNG | {listed}
    features | Results/ | {n_features} réels par image | Delta | {number(counts["features"])}
    rejected | Results_Rejected/ | la raison de chaque rejet | Delta | {number(counts["rejected"])}
    pca | Results_PCA/ | {count(k, "composante")} | Delta | {scores}
    pca_csv | Results_CSV/ | {k + 2} colonnes | CSV | {lines}
    """
    note = (
        "Le même code écrit sur le disque ou directement sur S3, selon conf/ ; "
        f"cette exécution a écrit sur {place}."
    )
    deck.table(rows, Box(MARGIN, 3.15, INSIDE, 3.1), (2.4, 2.9, 3.4, 1.7, 1.733), note=note)


def add_broadcast(deck: Deck, run: Run) -> None:
    """Say what is broadcast, and what would be without it."""
    done = run["featurization"]
    size, workers = done["broadcast_bytes"], len(done["workers"])
    deck.begin(
        f"Diffusion des poids : {megabytes(size)} envoyés une fois à chaque exécuteur",
        f"""Les poids de MobileNetV2 sont lus sur le pilote, dont TensorFlow replie les normalisations et
        compile le réseau en un seul tampon LiteRT de {megabytes(size)}. sc.broadcast l'envoie une fois à
        chaque exécuteur, par morceaux de 4 Mo que les exécuteurs se transmettent aussi. Chaque
        travailleur Python en fait un interpréteur et le garde pour toutes ses tâches. Sans diffusion, la
        fonction emporterait le modèle : Spark le redonnerait à Python à chaque tâche, et la première
        version reconstruisait en plus le réseau Keras dans chaque tâche. Le notebook mesure les deux.
        L'empreinte SHA-256 des tenseurs prouve que ce sont les poids ImageNet de Keras.""",
    )
    deck.box(["Pilote", "poids Keras", "compilés une fois"], Box(MARGIN, 2.5, 2.2, 1.5), 16, strong=True)
    for i in range(2):
        top = 1.8 + 1.75 * i
        deck.box([f"Exécuteur {i + 1}", "une copie"], Box(4.3, top, 2.0, 1.2), 16)
        deck.arrow((2.8, 3.1 + 0.3 * i), (4.3, top + 0.6))
    deck.note("broadcast", Box(2.75, 2.05, 1.5, 0.4))
    work = ["Cette exécution : rien de nouveau, donc aucun interpréteur créé"]
    if done["images"]:
        memory = max(worker["peak_memory_mb"] for worker in done["workers"])
        work = [
            f"Travailleurs Python : {workers}, interpréteurs créés : {done['interpreters_made']}",
            f"Images traitées : {number(done['images'])} en {seconds(done['seconds'])}",
            f"Mémoire d'un travailleur : {number(memory)} Mo au plus",
        ]
    points = [
        f"Diffusé : {number(size)} octets, empreinte {done['featurizer']}",
        *work,
        "Chez les travailleurs : ni TensorFlow, ni Keras, ni fichier de poids",
    ]
    deck.bullets(points, Box(6.7, TOP + 0.1, 6.05, 3.6))
    one = megabytes(size)
    rows = f"""
    Calcul : 20 tâches, 2 exécuteurs de 4 cœurs | Modèle remis à Python | Réseau construit
    Diffusion, interpréteur gardé | 8 travailleurs x {one} = {megabytes(8 * size)} | 8 fois
    Fonction qui emporte le modèle | 20 tâches x {one} = {megabytes(20 * size)} | 8 fois
    Première version : poids diffusés, Keras | une fois par travailleur | 20 fois
    """
    deck.table(rows, Box(MARGIN, 5.0, INSIDE, 1.8), (4.9, 4.6, 2.633))


def add_featurization(deck: Deck, run: Run) -> None:
    """Say how images become features, and how fast."""
    usual, ours, bare = measured.STEADY.values
    memory = measured.WORKER_MEMORY.values[1]
    deck.begin(
        f"Descripteurs : {number(ours)} images/s sur 2 cœurs, {number(usual)} pour la première version",
        f"""Une pandas UDF donne des colonnes pandas : il faut le contenu des images dans la table, donc
        dans Java, et une valeur rendue par ligne. mapInArrow donne des lots Arrow : le travailleur reçoit
        des chemins, lit lui-même les images avec huit fils pendant que le modèle calcule, et peut rendre
        un rejet au lieu d'un descripteur. Hors démarrage, entre 500 et 2 000 images, la chaîne fait
        {number(ours)} images par seconde, contre {number(bare)} pour le même travail sans Spark ; au-delà
        de 2 000 images, Spark ne coûte plus que 3 %. Les descripteurs sont ceux de Keras à 6e-5 près.
        Commande : {measured.STEADY.command}.""",
    )
    speeds = {"Première version": usual, "Chaîne livrée": ours, "Sans Spark": bare}
    bars(deck.slide, speeds, Box(MARGIN, TOP, 5.9, 3.5), "Images par seconde, hors démarrage")
    deck.note([f"{measured.STEADY.command}, 2 cœurs, images réelles", run.speed], Box(MARGIN, 5.3, 5.9, 1.2))
    points = [
        "mapInArrow : le travailleur reçoit des chemins, pas des pixels",
        "Lecture en avance : 8 fils lisent et décodent pendant le calcul",
        f"LiteRT : un interpréteur par cœur, {number(memory)} Mo par travailleur",
        "Exactitude : écart à Keras d'au plus 6e-5",
        "pandas UDF : gardée pour comparer, dans le notebook et les bancs d'essai",
    ]
    deck.bullets(points, Box(6.9, TOP, 5.85, 3.3), 17)
    rows = ["Démarrage compris | Première version | Chaîne livrée"] + [
        f"{number(size)} images | {seconds(before.values[0])} | {seconds(after.values[0])}"
        for size, before, after in (
            (500, measured.USUAL_500, measured.OURS_500),
            (2000, measured.USUAL_2000, measured.OURS_2000),
            (11992, measured.USUAL_ALL, measured.OURS_ALL),
        )
    ]
    deck.table("\n".join(rows), Box(6.9, 4.95, 5.8, BOTTOM - 4.95), (2.2, 1.9, 1.7))


def add_pca(deck: Deck, run: Run) -> None:
    """Say how the PCA is made, that it is exact, and how k was chosen."""
    pca = run["pca"]
    k, kept = pca["n_components"], pca["explained_variance_ratio_sum"]
    ours, theirs = measured.PCA_100000
    for_more = " ; ".join(
        f"{goal} %, {number(n)}" for goal, n in pca["components_for"].items() if int(goal) in (80, 90, 95)
    )
    many = number(measured.DIMENSIONS[0].values[1], 1)
    deck.begin(
        f"ACP : {count(k, 'composante garde', 'composantes gardent')} {percent(kept)} de la variance",
        f"""L'ACP n'a besoin que de trois sommes : le nombre d'images, la somme des descripteurs et leur
        matrice de Gram. Chaque partition les calcule, le pilote les additionne et résout un seul problème
        aux valeurs propres de 1280 par 1280. C'est la solution exacte, égale à pyspark.ml.feature.PCA et
        à scikit-learn à 1e-9 près, et le notebook le montre. Sur 100 000 lignes elle prend
        {seconds(ours.values[0])} contre {seconds(theirs.values[0])} pour Spark ML ({ours.command}). k
        vaut 50 dans la mission. Sur les 11 992 images réelles, 50 composantes gardent {many} % de la
        variance et 88 % des dix plus proches voisins ; 100 coûtent deux fois plus d'octets pour 4 points
        de voisins. Avec peu d'images la part gardée est plus haute, ce qui ne dit rien du vrai jeu.""",
    )
    ratios = pca["best_explained_variance_ratio"]
    cumulated = [100 * total for total in accumulate(ratios)]
    title = "Variance expliquée cumulée, en %"
    axis = f"composantes (ACP de {count(pca['n_images'], 'image')}) ; point : k = {k}"
    line(deck.slide, cumulated, k, Box(MARGIN, TOP, 6.3, 4.6), title, axis)
    axes = "axes ajustés par cette exécution" if pca["refitted"] else "axes gardés de l'exécution d'avant"
    points = [
        "Moments : n, somme et matrice de Gram s'additionnent, une nouvelle image ne coûte qu'elle-même",
        "Exacte : composantes de Spark ML et de scikit-learn à 1e-9 près",
        f"100 000 lignes : {seconds(ours.values[0])}, Spark ML {seconds(theirs.values[0])}",
        f"Cette exécution : modèle {pca['model']}, {axes}",
        f"Composantes pour : {for_more}" if for_more else "Toute la variance tient dans ces axes",
    ]
    deck.bullets(points, Box(7.2, TOP, 5.5, 3.3), 17)
    rows = ["k (11 992 images) | Variance | Mêmes voisins sur 10"] + [
        "{} | {} % | {} %".format(number(row.values[0]), *(number(value, 1) for value in row.values[1:]))
        for row in measured.DIMENSIONS
    ]
    deck.table("\n".join(rows), Box(7.2, 5.1, 5.5, 1.5), (2.1, 1.3, 2.1), TABLE)
    deck.note(f"Tableau : {measured.DIMENSIONS[0].command} (docs/pca.md)", Box(MARGIN, 6.35, 6.3, 0.4))
