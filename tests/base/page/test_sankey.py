"""The route picture: what enters a node leaves it, and one route is highlighted."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.base.page import colours, sankey

codes = st.sampled_from(["CHE", "NPL", "FJI", "_U", "_O", "unknown"])
flow_lists = st.lists(
    st.builds(sankey.Flow, st.tuples(codes, codes, codes), st.integers(1, 10**9)),
    min_size=1,
    max_size=25,
    unique_by=lambda flow: flow.codes,
)


@given(flow_lists)
def test_what_enters_a_node_leaves_it(flows: list[sankey.Flow]) -> None:
    columns, height = sankey.place_nodes(flows, 300.0)
    ribbons = sankey.add_ribbons(flows, columns, sankey.largest_known_route(flows))
    total = sum(flow.value for flow in flows)
    for nodes in columns:
        assert sum(node.value for node in nodes.values()) == total
        placed = sorted(nodes.values(), key=lambda node: node.y)
        assert placed[0].y >= 0 and placed[-1].y + placed[-1].height <= height + 1e-6
        assert all(a.y + a.height <= b.y for a, b in zip(placed, placed[1:], strict=False))
    for node in columns[1].values():
        entering = sum(ribbon.value for ribbon in ribbons if ribbon.end is node)
        leaving = sum(ribbon.value for ribbon in ribbons if ribbon.start is node)
        assert entering == leaving == node.value
    for column in (0, 2):
        for node in columns[column].values():
            assert node.value == sum(r.value for r in ribbons if r.start is node or r.end is node)


def test_the_highlighted_route_is_known_from_end_to_end() -> None:
    flows = [
        sankey.Flow(("_U", "hub", "CHE"), 90),
        sankey.Flow(("NPL", "unknown", "CHE"), 80),
        sankey.Flow(("NPL", "hub", "CHE"), 30),
        sankey.Flow(("FJI", "peer", "CHE"), 31),
    ]
    assert sankey.largest_known_route(flows) == flows[3]
    assert sankey.largest_known_route(flows[:2]) is None
    names = [{code: code for flow in flows for code in flow.codes}] * 3
    assert sankey.draw_sankey(flows, names, "t", 920, 185).count(colours.ACCENT) == 2
    assert sankey.draw_sankey(flows[:2], names, "t", 920, 185).count(colours.ACCENT) == 0
