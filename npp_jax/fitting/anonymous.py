"""Experiments without the names of their ions."""

import dataclasses

from npp_jax.physics import Experiment, IonBeamCurrent, IonBeamPotential, MutualDiffusivity, Reservoir, Species


def anonymous(experiment: Experiment) -> Experiment:
    """The experiment with its species numbered instead of named: experiments that differ in names alone are alike."""
    numbers = {species.name: f"ion {k}" for k, species in enumerate(experiment.species)}

    def renamed(front: object) -> object:
        if isinstance(front, IonBeamPotential | IonBeamCurrent):
            return dataclasses.replace(front, beam=numbers[front.beam])
        if isinstance(front, Reservoir):
            return dataclasses.replace(front, fraction={numbers[name]: c for name, c in front.fraction.items()})
        return front

    def numbered(ion: Species) -> Species:
        law, over = ion.diffusivity, ion.fraction_of
        if isinstance(law, MutualDiffusivity):
            law = MutualDiffusivity(numbers[law.partner])
        over = None if over is None else numbers[over]
        return dataclasses.replace(ion, name=numbers[ion.name], diffusivity=law, fraction_of=over)

    return dataclasses.replace(
        experiment,
        title="",
        species=tuple(numbered(s) for s in experiment.species),
        initial=experiment.initial and {numbers[name]: form for name, form in experiment.initial.items()},
        stages=tuple(dataclasses.replace(s, front=renamed(s.front)) for s in experiment.stages),
    )
