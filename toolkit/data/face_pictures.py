"""Generated head-pose pictures: the embedded stand-in for the CMU faces."""

from __future__ import annotations

import numpy as np

PEOPLE = 20
SEED = 1997
FINE = 3  # rays along each side of a pixel

# Radii of the head: across, up, forward; a picture is about 2.4 wide.
HEAD = np.array([0.58, 0.74, 0.66])


def draw_face(
    person: int,
    pose: str,
    expression: str,
    eyes: str,
    size: tuple[int, int] = (30, 32),
) -> np.ndarray:
    """Draws a head and shoulders by ray casting a few ellipsoids.

    What belongs to a person (shape of the head, hair, skin, clothes, room)
    and what changes from picture to picture (exact pose, place, light, noise)
    follows from the arguments alone, so a picture is the same every time.

    Args:
        person: from 0; each looks different.
        pose: `left`, `right`, `straight` or `up`.
        expression: `neutral`, `happy`, `sad` or `angry`.
        eyes: `open` or `sunglasses`.
        size: height and width, in pixels.

    Returns:
        uint8 `(height, width)`.
    """
    looks = _looks(np.random.default_rng([SEED, person]))
    words = " ".join((pose, expression, eyes)).encode()
    chance = np.random.default_rng([SEED, person, *words])
    turn = _rotation(pose, chance)
    shift = chance.normal(0, [0.05, 0.04]) + [0, 0.12]
    x, y = _rays(size)
    x, y = (x - shift[0]) / looks["scale"], (y - shift[1]) / looks["scale"]

    # The nearest surface along each ray wins.
    depth = np.full(x.shape, -np.inf)
    grey = looks["room"] + 25 * looks["slope"] * x
    light = np.array([looks["slope"], 0.5, 0.8])
    light /= np.linalg.norm(light)
    face = _painter(looks, expression, eyes)
    body = np.eye(3)
    for center, radii, axes, paint in (
        ([0, -1.75, -0.1], [1.25, 0.85, 0.5], body, looks["shirt"]),
        ([0, -0.75, -0.1], [0.3, 0.6, 0.3], body, looks["skin"] - 15),
        ([0, 0, 0], HEAD * looks["shape"], turn, face),
        (
            turn @ ([0, -0.06, 0.62] * looks["shape"]),
            [0.1, 0.17, 0.2],
            turn,
            looks["skin"],
        ),
    ):
        front, z, point, normal = _hit(
            x, y, np.asarray(center), radii, axes, depth
        )
        tone = paint(point) if callable(paint) else paint
        shade = 0.55 + 0.45 * np.clip(normal @ light, 0, 1)
        grey[front] = tone * shade
        depth[front] = z

    height, width = size
    fine = grey.reshape(height, FINE, width, FINE).mean(axis=(1, 3))
    fine = fine * chance.normal(1, 0.06) + chance.normal(0, 3, fine.shape)
    return np.clip(np.rint(fine), 0, 255).astype(np.uint8)


def _looks(rng: np.random.Generator) -> dict:
    """Draws what belongs to a person."""
    skin = rng.uniform(110, 190)
    return {
        "scale": rng.uniform(0.95, 1.1),
        "shape": rng.uniform(0.88, 1.1, 3),
        "skin": skin,
        "hair": rng.uniform(8, 0.75 * skin),
        "hairline": rng.uniform(0.3, 0.72),
        "length": rng.uniform(-0.7, 0.35),
        "beard": rng.uniform(0.55, 0.9) if rng.random() < 0.25 else 1.0,
        "eye": rng.uniform(0.3, 0.4),
        "shirt": rng.uniform(15, 200),
        "room": rng.uniform(20, 70),
        "slope": rng.uniform(-0.5, 0.5),
    }


def _rotation(pose: str, rng: np.random.Generator) -> np.ndarray:
    """Returns the head's axes as columns: across, up, forward."""
    yaw, pitch, roll = rng.normal(0, [6, 4, 3])
    # As the camera sees it: a head turned to its left looks to the right.
    yaw += {"left": 55, "right": -55}.get(pose, 0)
    pitch += {"up": 38}.get(pose, 0)
    yaw, pitch, roll = np.radians([yaw, pitch, roll])
    about_y = [
        [np.cos(yaw), 0, np.sin(yaw)],
        [0, 1, 0],
        [-np.sin(yaw), 0, np.cos(yaw)],
    ]
    about_x = [
        [1, 0, 0],
        [0, np.cos(pitch), np.sin(pitch)],
        [0, -np.sin(pitch), np.cos(pitch)],
    ]
    about_z = [
        [np.cos(roll), -np.sin(roll), 0],
        [np.sin(roll), np.cos(roll), 0],
        [0, 0, 1],
    ]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)


def _rays(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns x to the right and y up of every ray, `(rays,)` each."""
    height, width = (n * FINE for n in size)
    rows = (height / 2 - 0.5 - np.arange(height)) * (2.4 / width)
    columns = (np.arange(width) - width / 2 + 0.5) * (2.4 / width)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return x.ravel(), y.ravel()


def _hit(x, y, center, radii, axes, depth):
    """Returns where rays towards -z first meet an ellipsoid.

    Returns:
        The numbers of the rays that meet it in front of `depth`; for each of
        them its depth `(hits,)`, the place on the unit sphere that the
        ellipsoid was made of `(hits, 3)`, and the normal `(hits, 3)`.
    """
    scaled = axes / np.asarray(radii)  # columns: axes over radii
    start = np.stack([x - center[0], y - center[1], 0 * x], 1) @ scaled
    along = scaled[2]
    a = along @ along
    b = start @ along
    across, up, forward = np.square(start).T
    c = across + up + forward - 1
    inside = b * b - a * c
    meet = np.flatnonzero(inside > 0)
    t = (-b[meet] + np.sqrt(inside[meet])) / a
    before = t + center[2] > depth[meet]
    front, t = meet[before], t[before]
    point = start[front] + t[:, None] * along
    normal = point @ scaled.T
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    return front, t + center[2], point, normal


def _painter(looks: dict, expression: str, eyes: str):
    """Returns a function from places on the unit sphere to grey values."""

    def spot(point, x, y, wide, high):
        across, up = (point[:, 0] - x) / wide, (point[:, 1] - y) / high
        return (across**2 + up**2 < 1) & (point[:, 2] > 0)

    def paint(point):
        x, y, z = point.T
        tone = np.full(len(point), looks["skin"])
        tone[(y < -0.35) & (z > 0)] *= looks["beard"]
        hair = (y > looks["hairline"] - 0.15 * (z < 0.4)) | (
            (z < 0.05) & (y > looks["length"])
        )
        tone[hair] = looks["hair"]
        bend = {"happy": 0.9, "sad": -0.9}.get(expression, 0.0)
        wide = 0.16 if expression == "angry" else 0.28
        lips = np.abs(y + 0.52 - bend * (x**2 - 0.03)) < 0.05
        tone[lips & (np.abs(x) < wide) & (z > 0)] *= 0.55
        slant = {"angry": 0.6, "sad": -0.4}.get(expression, 0.0)
        brow = np.abs(y - 0.36 - slant * (np.abs(x) - looks["eye"])) < 0.035
        brow &= np.abs(np.abs(x) - looks["eye"]) < 0.17
        tone[brow & (z > 0)] = looks["hair"]
        for side in (-looks["eye"], looks["eye"]):
            if eyes == "sunglasses":
                tone[spot(point, side, 0.16, 0.3, 0.19)] = 8
            else:
                tone[spot(point, side, 0.18, 0.15, 0.08)] = 215
                tone[spot(point, side, 0.18, 0.07, 0.08)] = 20
        if eyes == "sunglasses":  # bridge and temples
            tone[(np.abs(y - 0.2) < 0.045) & (z > -0.2)] = 12
        return tone

    return paint
