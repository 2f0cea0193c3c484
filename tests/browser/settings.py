"""What can be done with a socket that is set up, and adding one that somebody else set up."""

from custom_components.openbk.const import DOMAIN

from .conftest import Scene
from .dialog import Dialog
from .road import open_options, open_reconfiguring

PASSWORD = "only simulated"


async def set_up_otherwise_and_add_anew(scene: Scene) -> None:
    """Go from the options of a socket that somebody else changed to adding it anew."""
    await _set_up_otherwise(scene)
    await _tune(scene)
    await _describe(scene)
    await _follow(scene)
    await _add_anew(scene)


async def _set_up_otherwise(scene: Scene) -> None:
    """Do on the socket's own pages what somebody else did."""
    for command in ('StartupCommand ""', "SetFlag 10 0", "SetFlag 21 0"):
        await scene.hands.ask_socket("cm", cmnd=command)


async def _tune(scene: Scene) -> None:
    dialog = Dialog(scene.page, "options")
    await open_options(scene)
    await dialog.choose("polarity")
    await scene.look("polarity")
    await dialog.close()
    await open_options(scene)
    await dialog.choose("tune")
    await scene.look("tune")
    await dialog.tick("Report its state")
    await dialog.press()
    await scene.look("tuned")
    await dialog.press()
    await dialog.gone()
    await open_options(scene)
    await dialog.shows("init")
    await scene.look("init", "tuned")
    await dialog.choose("untune")
    await scene.look("untune")
    await dialog.close()


async def _describe(scene: Scene) -> None:
    dialog = Dialog(scene.page, "options")
    await open_options(scene)
    await dialog.choose("discovery")
    await dialog.shows("discovery")
    await dialog.tick("Both: here")
    await dialog.press()
    await dialog.refuses("prefix_own")
    await scene.look("discovery", "own-prefix")
    await dialog.close()


async def _follow(scene: Scene) -> None:
    dialog = scene.dialog
    await open_reconfiguring(scene)
    await scene.look("reconfigure")
    await dialog.choose("moved")
    await dialog.shows("moved")
    await dialog.fill(client_id="obk00000000")
    await dialog.press()
    await dialog.refuses("socket_silent")
    await scene.look("moved", "silent")
    await dialog.close()
    await open_reconfiguring(scene)
    await dialog.choose("new_broker")
    await scene.look("new_broker")
    await dialog.close()


async def _add_anew(scene: Scene) -> None:
    dialog, hands = scene.dialog, scene.hands
    await hands.ask_socket(
        "cfg_wifi_set", web_admin_password_enabled="1", web_admin_password=PASSWORD
    )
    entries = await scene.client.command("config_entries/get", domain=DOMAIN)
    await scene.client.delete(
        f"/api/config/config_entries/entry/{entries[0]['entry_id']}"
    )
    await dialog.open()
    await dialog.choose("existing")
    await scene.look("find")
    await scene.look("found")
    await dialog.tick("Another")
    await dialog.press()
    await dialog.shows("where")
    await dialog.fill(address="127.0.0.1", password="a wrong one")
    await dialog.press()
    await dialog.refuses("socket_password")
    await scene.look("where", "password")
    await dialog.fill(address="", client_id="obkE4720741", password="")
    await dialog.press()
    await scene.look("read_pins")
    await dialog.fill(password=PASSWORD)
    await dialog.press()
    await scene.look("tune", "new")
    await dialog.press()
    await scene.look("create_entry")
    await dialog.press()
    await dialog.gone()
