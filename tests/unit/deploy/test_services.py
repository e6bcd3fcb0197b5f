from deploy.local.services import SERVICES, with_trainers


def names(count):
    return [child.name for child in with_trainers(SERVICES, count)]


def test_one_trainer_is_the_usual_stack():
    assert with_trainers(SERVICES, 1) == SERVICES


def test_several_trainers_have_names_and_threads_of_their_own():
    two = [
        child
        for child in with_trainers(SERVICES, 2)
        if child.name.startswith("trainer")
    ]
    assert [child.name for child in two] == ["trainer-1", "trainer-2"]
    assert all(int(dict(child.env)["OMP_NUM_THREADS"]) >= 1 for child in two)


def test_no_trainer_is_run_where_other_machines_train():
    assert names(0) == [name for name in names(1) if name != "trainer"]
