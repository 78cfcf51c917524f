import pytest

from bot_sdk.model_files import MODEL_ENDINGS, ModelFile, ModelFileError, load_model, named
from tests.bot_sdk.bot_runtime import in_runtime

SCALER = """
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler().fit([[0.0], [2.0]])
"""
THREADS = "int(open('/proc/self/status').read().split('Threads:')[1].split()[0])"


def test_the_libraries_of_bots_are_imported_together_and_leave_one_thread() -> None:
    answer = in_runtime(f"""
        import pandas, pandas_ta, talib, sklearn, onnxruntime, lightgbm, xgboost, skops
        answer = {THREADS}
    """)

    assert answer == 1


@pytest.mark.parametrize("type_name", ["float16", "float32", "float64", "int64"])
def test_an_onnx_model_takes_numbers_of_any_type(type_name: str) -> None:
    answer = in_runtime(f"""
        model = load_model("model.onnx", linear_model([1.0, 2.0, 4.0]))
        answer = model.predict(np.array([[1, 1, 1], [0, 0, 2]], dtype="{type_name}")).tolist()
    """)

    assert answer == [[7.0], [8.0]]


def test_an_lstm_predicts_from_one_sequence_on_one_thread() -> None:
    answer = in_runtime(f"""
        features = np.linspace(0, 1, 300).reshape(1, 60, 5)
        prediction = load_model("lstm_model.onnx", lstm_model()).predict(features)
        answer = [prediction.shape, float(prediction[0][0]), {THREADS}]
    """)

    shape, prediction, threads = answer
    assert shape == [1, 1]
    assert -1 < prediction < 1 and prediction != 0
    assert threads == 1


def test_an_onnx_model_with_two_inputs_is_used_through_its_session() -> None:
    answer = in_runtime("""
        model = load_model("model.onnx", two_input_model())
        try:
            model.predict([1.0])
        except ModelFileError as error:
            numbers = {"left": np.float32([1]), "right": np.float32([2])}
            answer = [str(error), float(model.session.run(None, numbers)[0][0])]
    """)

    message, total = answer
    assert "2 (left, right)" in message and "session.run" in message
    assert total == 3.0


@pytest.mark.parametrize(
    ("filename", "save"),
    [
        ("scaler.pkl", "import pickle; content = pickle.dumps(scaler)"),
        (
            "scaler.joblib",
            "import joblib; joblib.dump(scaler, file := io.BytesIO()); content = file.getvalue()",
        ),
        ("SCALER.SKOPS", "import skops.io; content = skops.io.dumps(scaler)"),
    ],
)
def test_a_scaler_of_scikit_learn_scales_as_before_it_was_saved(filename: str, save: str) -> None:
    answer = in_runtime(
        f"{SCALER}{save}\nanswer = load_model('{filename}', content).transform([[4.0]]).tolist()"
    )

    assert answer == [[3.0]]


def test_a_forest_of_skops_opens_although_skops_does_not_know_its_types() -> None:
    answer = in_runtime("""
        import skops.io
        from sklearn.ensemble import RandomForestClassifier
        forest = RandomForestClassifier(5, random_state=1).fit([[0.0], [1.0]] * 5, [0, 1] * 5)
        content = skops.io.dumps(forest)
        opened = load_model("forest.skops", content)
        answer = [skops.io.get_untrusted_types(data=content), opened.predict([[1.0]]).tolist()]
    """)

    untrusted, prediction = answer
    assert untrusted
    assert prediction == [1]


def test_a_booster_of_lightgbm_predicts_as_before_on_one_thread() -> None:
    answer = in_runtime("""
        import lightgbm
        rows, targets = np.arange(40.0).reshape(20, 2), np.arange(20.0)
        settings = {"verbose": -1, "min_data": 1, "num_threads": 1}
        trained = lightgbm.train(settings, lightgbm.Dataset(rows, targets), 3)
        opened = load_model("trees.txt", trained.model_to_string().encode())
        answer = [trained.predict(rows).tolist(), opened.predict(rows).tolist(), opened.predict.keywords]
    """)

    before, after, options = answer
    assert before == after and len(set(after)) > 1
    assert options == {"num_threads": 1}


@pytest.mark.parametrize("ending", ["ubj", "json"])
def test_a_booster_of_xgboost_predicts_as_before(ending: str) -> None:
    answer = in_runtime(f"""
        import xgboost
        rows, targets = np.arange(40.0).reshape(20, 2), np.arange(20.0)
        trained = xgboost.train({{"nthread": 1}}, xgboost.DMatrix(rows, targets), 3)
        opened = load_model("trees.{ending}", bytes(trained.save_raw("{ending}")))
        answer = [trained.inplace_predict(rows).tolist(), opened.inplace_predict(rows).tolist()]
    """)

    before, after = answer
    assert before == after and len(set(after)) > 1


def test_json_that_is_no_model_is_a_configuration() -> None:
    assert load_model("config.json", b'{"version": 2, "threshold": 0.7}') == {"version": 2, "threshold": 0.7}


def test_arrays_of_numpy_are_opened_one_or_many() -> None:
    answer = in_runtime("""
        np.save(one := io.BytesIO(), np.array([1.5, 2.5]))
        np.savez(many := io.BytesIO(), low=np.array([1.0]), high=np.array([2.0]))
        arrays = load_model("range.npz", many.getvalue())
        answer = [load_model("mean.npy", one.getvalue()).tolist(), {k: v.tolist() for k, v in arrays.items()}]
    """)

    assert answer == [[1.5, 2.5], {"low": [1.0], "high": [2.0]}]


def test_no_object_hides_in_an_array_file() -> None:
    answer = in_runtime("""
        np.save(file := io.BytesIO(), np.array([{}], dtype=object), allow_pickle=True)
        try:
            load_model("mean.npy", file.getvalue())
        except ModelFileError as error:
            answer = str(error)
    """)

    assert "Expected an array of numbers" in answer


def test_content_that_is_no_model_is_an_error_that_says_what_was_expected() -> None:
    answer = in_runtime("""
        answer = {}
        for ending in MODEL_ENDINGS:
            for content in (b"", b"junk", b"{", b"PK", bytes(500)):
                try:
                    load_model("file" + ending, content)
                except ModelFileError as error:
                    answer.setdefault(ending, []).append(str(error))
    """)

    assert answer.keys() == MODEL_ENDINGS.keys()
    for ending, messages in answer.items():
        assert len(messages) == 5
        for message in messages:
            assert message.startswith(f"file{ending} ")
            assert f"Expected {MODEL_ENDINGS[ending].gives}" in message
            assert "\n" not in message and len(message) < 500


def test_a_library_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModelFileError, match="needs onnxruntime, which cannot be imported"):
        load_model("model.onnx", b"\x08content")


@pytest.mark.parametrize(
    ("filename", "advice"),
    [
        ("lstm_model.h5", 'model.export("model.onnx", format="onnx")'),
        ("lstm.keras", 'model.export("model.onnx", format="onnx")'),
        ("net.pt", "torch.onnx.export"),
        ("model.exe", "Save the model as one of these."),
        ("model", "Save the model as one of these."),
    ],
)
def test_another_ending_is_refused_with_advice(filename: str, advice: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        load_model(filename, b"content")

    message = str(caught.value)
    assert message.startswith(f"{filename}: expected a file ending in .onnx, .skops")
    assert advice in message


def test_a_bot_finds_each_file_by_its_kind_and_by_its_name() -> None:
    files = [
        ModelFile("MODEL", "lstm.json", b"[1]"),
        ModelFile("WEIGHTS", "scaler.json", b"[2]"),
        ModelFile("CONFIG", "config.json", b"[3]"),
    ]

    models = named(files)

    assert models == {"MODEL": [1], "LSTM": [1], "WEIGHTS": [2], "SCALER": [2], "CONFIG": [3]}
    assert models["MODEL"] is models["LSTM"]


def test_two_files_of_a_kind_are_found_by_their_names_only() -> None:
    files = [ModelFile("MODEL", "low.json", b"[1]"), ModelFile("MODEL", "high.json", b"[2]")]

    assert named(files) == {"LOW": [1], "HIGH": [2]}


@pytest.mark.parametrize("other", ["Scaler.json", "model.json"])
def test_two_files_of_one_name_are_refused(other: str) -> None:
    files = [ModelFile("MODEL", "scaler.json", b"1"), ModelFile("WEIGHTS", other, b"2")]

    with pytest.raises(ModelFileError, match="rename one of them"):
        named(files)


def test_no_files_are_no_models() -> None:
    assert named([]) == {}
