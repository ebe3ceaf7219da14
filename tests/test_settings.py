def test_parameters_that_exist_reach_catalog_and_nodes(load_context):
    context = load_context(output_path="/elsewhere", pca={"n_components": 0.95}, limit=7)
    assert context.catalog["features"]._describe()["filepath"] == "/elsewhere/04_feature/features"
    assert context.catalog.load("params:pca").n_components == 0.95
    assert context.catalog.load("params:pca").solver == "moments"
    assert context.catalog.load("params:limit") == 7


def test_home_is_understood_by_every_dataset(load_context, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    places = {name: f"~/{name}" for name in ("images_path", "output_path", "models_path", "weights_path")}
    catalog = load_context(**places).catalog
    described = {name: catalog[name]._describe() for name in catalog if not name.startswith("param")}
    files = {name: str(found["filepath"]) for name, found in described.items() if "filepath" in found}
    assert len(files) > 10
    outside = {
        name for name, place in files.items() if not place.removeprefix("file://").startswith(str(tmp_path))
    }
    assert outside == set()
