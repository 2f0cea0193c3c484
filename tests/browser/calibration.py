"""The guided calibration in a real browser: each page looked at."""

from .conftest import Scene
from .dialog import Dialog
from .road import open_options, switch_on


async def calibrate(scene: Scene) -> None:
    """Go from plugging in to the result, with each kind of reference."""
    hands = scene.hands
    await hands.set_meter(power={"gain": 1 / 1.08, "offset": -1.2 / 1.08})
    await hands.plug_in(2000)
    await switch_on(scene)

    dialog = Dialog(scene.page, "options")
    await open_options(scene)

    await scene.look("init")
    await dialog.choose("calibration")
    await scene.look("calibration")
    await dialog.choose("multimeter")
    await scene.look("multimeter")
    await dialog.press()
    await scene.look("measure")
    await scene.look("reference", "multimeter")
    await dialog.fill_number("Voltage", 230)
    await dialog.fill_number("Current", 9)
    await dialog.press()
    await scene.look("result", "three_quantities")
    await dialog.choose("stop")
    await scene.look("nothing_changed")
    await dialog.close()

    await open_options(scene)
    await dialog.choose("calibration")
    await dialog.choose("known_load")
    await scene.look("known_load")
    await dialog.press()
    await scene.look("reference", "known_load")
    await dialog.close()

    await open_options(scene)
    await dialog.choose("calibration")
    await dialog.choose("watt_meter")
    await scene.look("watt_meter")
    await dialog.press()
    await scene.look("reference", "watt_meter")
    await dialog.fill_number("Power", 2)
    await dialog.press()
    await dialog.refuses("wrong_unit")
    await scene.look("reference", "refused")
    await dialog.fill_number("Power", 2000)
    await dialog.press()
    await scene.look("result")
    await dialog.choose("second_load")
    await scene.look("second_load")
    await hands.plug_in(0)
    await dialog.press()
    await scene.look("no_load")
    await hands.plug_in(60)
    await dialog.choose("measure")
    await dialog.shows("reference")
    await dialog.fill_number("Power", 60)
    await dialog.press()
    await scene.look("result", "two_points")
    await dialog.choose("save")
    await scene.look("create_entry")
    await dialog.close()

    await open_options(scene)
    await dialog.choose("calibration")
    await scene.look("calibration", "afterwards")
    await dialog.close()
