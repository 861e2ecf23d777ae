"""Three kinds of plot as SVG text, nothing else needed. Readable on light and on dark pages."""
import math

COLOURS = {"Kindred": "#0072b2", "floor": "#7f7f7f", "nginx": "#009e73", "Redis": "#d55e00", "PostgreSQL": "#8c6bb1"}
WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 80, 150, 44, 52


def _escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;")


def _text(x, y, text, anchor="middle", size=12, extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#444" {extra}>'
            f'{_escape(text)}</text>')


def _frame(title, parts, height=HEIGHT):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'font-family="system-ui, sans-serif" role="img" aria-label="{_escape(title)}">'
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fbfbfb"/>'
            + _text(WIDTH / 2, 24, title, size=15, extra='font-weight="600"') + "".join(parts) + "</svg>\n")


def _short(value):
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _colour(name, index):
    for start, colour in COLOURS.items():
        if name.startswith(start):
            return colour
    return ["#cc79a7", "#56b4e9", "#e69f00", "#000000"][index % 4]


def bars(title, groups, unit):
    """groups: [(label, [(name, value)])]; one horizontal bar for each value, each group on its own scale."""
    parts, y = [], TOP + 6
    for label, values in groups:
        parts.append(_text(24, y + 12, label, "start", 13, 'font-weight="600"'))
        y += 22
        top = max((value for _, value in values), default=1) or 1
        for index, (name, value) in enumerate(values):
            length = max(1.0, 430 * value / top)
            parts.append(f'<rect x="170" y="{y}" width="{length:.1f}" height="16" rx="2" fill="{_colour(name, index)}"/>')
            parts.append(_text(162, y + 13, name, "end"))
            parts.append(_text(176 + length, y + 13, f"{_short(value)} {unit}", "start"))
            y += 21
        y += 14
    return _frame(title, parts, y + 10)


def _ticks(low, high, log):
    if log:
        return [10.0 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    step = 10 ** math.floor(math.log10((high - low) / 4 or 1))
    step *= next((m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= 6), 10)
    return [step * k for k in range(math.floor(low / step), math.ceil(high / step) + 1)]


def lines(title, series, x_title, y_title, log_x=False, log_y=False, x_labels=None):
    """series: [(name, [(x, y)])]. x_labels: [(x, text)] in place of numbers."""
    points = [p for _, values in series for p in values]
    if not points:
        return _frame(title, [])
    scale_x = math.log10 if log_x else float
    scale_y = math.log10 if log_y else float
    y_values = [p[1] for p in points]
    y_ticks = _ticks(min(y_values) if log_y else 0, max(y_values) * (1 if log_y else 1.05), log_y)
    x_low, x_high = scale_x(min(p[0] for p in points)), scale_x(max(p[0] for p in points))
    y_low, y_high = scale_y(y_ticks[0]), scale_y(y_ticks[-1])

    def at_x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * (scale_x(value) - x_low) / ((x_high - x_low) or 1)

    def at_y(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (scale_y(value) - y_low) / ((y_high - y_low) or 1)

    parts = []
    for tick in y_ticks:
        parts.append(f'<path d="M{LEFT} {at_y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 8, at_y(tick) + 4, _short(tick), "end"))
    if x_labels is None:
        low, high = min(p[0] for p in points), max(p[0] for p in points)
        x_labels = [(t, _short(t)) for t in _ticks(low, high, log_x) if low <= t <= high]
    for value, label in x_labels:
        parts.append(_text(at_x(value), HEIGHT - BOTTOM + 18, label))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_title))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(_text(20, middle, y_title, extra=f'transform="rotate(-90 20 {middle})"'))
    for index, (name, values) in enumerate(series):
        path = "M" + "L".join(f"{at_x(x):.1f} {at_y(y):.1f}" for x, y in values)
        parts.append(f'<path d="{path}" fill="none" stroke="{_colour(name, index)}" stroke-width="2"/>')
        for x, y in values:
            parts.append(f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="2.6" fill="{_colour(name, index)}"/>')
        parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{TOP + 22 * index}" width="12" height="12" '
                     f'fill="{_colour(name, index)}"/>')
        parts.append(_text(WIDTH - RIGHT + 32, TOP + 10 + 22 * index, name, "start"))
    return _frame(title, parts)
