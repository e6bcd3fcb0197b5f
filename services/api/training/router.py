"""Training runs: ask for one, follow it. Operators only."""

from uuid import UUID

from fastapi import APIRouter

from services.api.dependencies import Operator, WiringDep
from services.api.training.schemas import NewRun, RunView, view
from shared.errors import NotFound
from shared.queueing.app import Tasks
from shared.recipes import list_recipes

router = APIRouter(prefix="/v1", tags=["training"])


class RecipeNotShipped(NotFound):
    """A path is no recipe here: the trainer may be another machine, and its files are no business of a request's."""

    code = "recipe-unknown"
    text = "There is no recipe {name!r}. Choose one of {known}."


@router.post("/training-runs", status_code=202)
def request_run(new: NewRun, wired: WiringDep, who: Operator) -> RunView:
    """Queue a training run; a trainer takes it up."""
    if new.recipe not in list_recipes():
        raise RecipeNotShipped(name=new.recipe, known=", ".join(list_recipes()))
    with wired.ledger.whole(who.actor) as house:
        run_id = house.runs.request(house.datasets.find(new.dataset).id, new.recipe, new.seed)
        run = house.runs.find(run_id)
    wired.doorbell.ring(Tasks.TRAIN, run_id)
    return view(run)


@router.get("/training-runs/{run_id}")
def read_run(run_id: UUID, wired: WiringDep, who: Operator) -> RunView:
    with wired.ledger.whole(who.actor) as house:
        run = house.runs.find(run_id)
    if run is None:
        raise NotFound(thing="training run")
    return view(run)
