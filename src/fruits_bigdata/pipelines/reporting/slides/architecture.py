"""Slides: the bricks of a big-data architecture, how they stand together, and the GDPR."""

from fruits_bigdata.pipelines.reporting.slides.layout import BOTTOM, INSIDE, MARGIN, TOP, Box, Deck
from fruits_bigdata.pipelines.reporting.slides.run import Run
from fruits_bigdata.pipelines.reporting.slides.writing import TABLE


def add_bricks(deck: Deck, run: Run) -> None:
    """Name each brick, the tool that was chosen for it, and what else there is."""
    deck.begin(
        "Sept briques, et l'outil choisi pour chacune",
        """Une architecture Big Data demande sept briques. Le stockage est séparé du calcul : S3 garde les
        données quand aucun cluster ne tourne, et le cluster EMR n'existe que le temps d'un calcul. Pour
        chaque brique j'ai comparé des alternatives. Databricks est plus confortable, mais ajoute un
        éditeur et un prix à l'unité ; EMR Serverless est intéressant pour les exécutions régulières, mais
        sans JupyterHub sur le cluster, que la mission demande. Hors d'AWS, Azure et Google offrent les
        mêmes briques : le code ne dépend que de Spark et de S3.""",
    )
    rows = """
    Brique | Outil retenu | Alternatives | Pourquoi ce choix
    Stockage | S3 | HDFS, EBS, Azure Blob | survit au cluster, payé au Go
    Calcul distribué | EMR (YARN) | EMR Serverless, Glue, Databricks | Spark standard, JupyterHub inclus
    Moteur | Spark 3.5, PySpark | Dask, Ray, Flink | demandé ; tables et ML réunis
    Notebook | JupyterHub, Livy | EMR Studio, SageMaker | sur le cluster, près des données
    Droits, clés | IAM, KMS | clés statiques, SSE-S3 | rôles sans secret, clé du projet
    Réseau | VPC, point d'accès S3 | passerelle NAT | personne n'entre, aucun coût fixe
    Déploiement | CloudFormation | Terraform, console | rejouable, détruit en un geste
    """
    note = f"Modèles : infra/*.yml, vérifiés par cfn-lint et sur un AWS imité (moto). {run.on_aws}"
    deck.table(rows, Box(MARGIN, TOP, INSIDE, 4.5), (2.0, 2.6, 3.6, 3.933), note=note)


def add_architecture(deck: Deck, run: Run) -> None:
    """Draw who talks to whom."""
    deck.begin(
        "L'architecture : S3 garde les données, EMR ne vit que le temps du calcul",
        """Le navigateur ouvre JupyterHub sur le maître, par un tunnel de Systems Manager : aucun port
        n'est ouvert. Le notebook tourne dans le pilote Spark du maître. Le pilote compile les poids une
        fois et les diffuse aux deux travailleurs, un exécuteur de quatre cœurs sur chacun. Les
        travailleurs lisent les images dans S3, sans passer par le pilote, et y écrivent les fichiers des
        tables ; le pilote les valide. Tout est dans une région de l'Union européenne. Une stratégie
        d'inactivité et une heure de fin arrêtent le cluster. Cette architecture est décrite par les
        modèles CloudFormation ; elle n'a pas été déployée par ses auteurs.""",
    )
    deck.frame(f"Région de l'Union européenne : {run.region}", Box(3.35, TOP, 9.35, 5.2))
    deck.box(["Équipe", "navigateur,", "tunnel SSM"], Box(MARGIN, 2.7, 1.9, 1.3), 16)
    deck.box(
        ["Maître EMR", "JupyterHub, Livy", "pilote Spark, Kedro"], Box(3.75, 2.5, 2.8, 1.7), 16, strong=True
    )
    deck.box(["Travailleur 1", "1 exécuteur, 4 cœurs", "modèle diffusé"], Box(7.55, 2.05, 2.3, 1.3))
    deck.box(["Travailleur 2", "1 exécuteur, 4 cœurs", "modèle diffusé"], Box(7.55, 3.65, 2.3, 1.3))
    deck.box(
        ["S3", "Test : images", "Results", "Results_PCA", "Results_CSV", "Results_Model", "Results_Report"],
        Box(10.6, 2.05, 1.8, 2.9),
        TABLE,
        strong=True,
    )
    deck.box(["IAM", "un rôle par fonction"], Box(3.75, 5.35, 2.3, 1.05))
    deck.box(["KMS", "chiffrement au repos"], Box(6.25, 5.35, 2.4, 1.05))
    deck.box(["CloudFormation", "crée et détruit"], Box(8.85, 5.35, 1.9, 1.05))
    deck.box(["Budget", "alerte"], Box(10.95, 5.35, 1.45, 1.05))
    deck.box(["kedro run", "le même code", "sur un portable"], Box(MARGIN, 5.2, 1.9, 1.3), 16)
    deck.arrow((2.5, 3.35), (3.75, 3.35))
    deck.arrow((6.55, 3.0), (7.55, 2.7))
    deck.arrow((6.55, 3.7), (7.55, 4.3))
    deck.arrow((9.85, 2.7), (10.6, 2.9))
    deck.arrow((9.85, 4.3), (10.6, 4.1))
    deck.note("poids diffusés", Box(5.85, 1.95, 1.6, 0.4))


def add_gdpr(deck: Deck, run: Run) -> None:
    """Say how data stays in the EU and protected."""
    deck.begin(
        "RGPD : tout reste dans l'Union européenne, et la chaîne le vérifie",
        """Des fruits ne sont pas des personnes, mais une photographie peut en montrer, et ses métadonnées
        peuvent dire où elle a été prise. La chaîne traite donc les images comme si elles étaient
        personnelles. Le garde-fou demande à S3 où se trouve chaque compartiment et à la machine où elle
        est, avant de lire un octet ; hors des régions permises, l'exécution est refusée. Londres et
        Zurich ne sont pas dans l'Union. Seuls les pixels sont utilisés ; l'EXIF ne sert qu'à redresser
        l'image. Une image supprimée du dossier disparaît de toutes les tables à l'exécution suivante, et
        les fichiers qui la contenaient sont effacés aussitôt. Ce n'est pas un avis juridique : le
        registre et l'analyse d'impact restent au responsable du traitement.""",
    )
    allowed = "6 régions de l'UE permises ; le garde-fou refuse toute autre avant de lire un octet"
    rows = f"""
    Exigence | Mesure | Où
    Localisation | {allowed} | cloud/residency.py, infra/*.yml
    Chiffrement | S3, disques et journaux par une clé KMS du projet ; TLS vers S3 | infra/storage.yml
    Moindre privilège | un rôle IAM par fonction, aucun secret dans le code | infra/roles.yml
    Minimisation | seuls les pixels servent ; ni EXIF ni profil n'est gardé | vision/container.py
    Effacement | une commande efface l'image et tout ce qui en vient, puis le vérifie | erasure/
    Traçabilité | chaque exécution dit quoi, quand, avec quelles versions | metrics.json
    Aucune fuite | télémétrie coupée, aucun port ouvert, accès public bloqué | settings.py, infra
    """
    note = (
        f"Région de cette configuration : {run.region}. Le garde-fou est testé sur un S3 imité, pas sur AWS."
    )
    deck.table(rows, Box(MARGIN, TOP, INSIDE, BOTTOM - TOP - 0.45), (2.2, 6.6, 3.333), note=note)
