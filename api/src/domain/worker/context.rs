//! A runner's view of its ticket: which part of the graph concerns it, with readable names.

use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use terarchitect_worker_api::RelevantGraph;

/// In a ticket's associations: everything.
const ALL: &str = "*";

/// The graph as runners see it, whole and as far as it concerns a ticket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphView {
    /// The whole graph; edges carry `source_label` and `target_label`.
    pub graph: RelevantGraph,
    /// What the ticket names; nodes and edges also carry `label_and_id`.
    pub relevant: RelevantGraph,
    /// `"label: id"` for each node that the ticket names and that exists.
    pub nodes_labeled: Vec<String>,
    /// `"A → B: id"` for each edge that the ticket names and that exists.
    pub edges_labeled: Vec<String>,
}

/// Builds the view of a graph for a ticket that names these nodes and edges; `["*"]` names all.
#[must_use]
pub fn graph_view(nodes: Vec<Value>, edges: Vec<Value>, node_ids: &[String], edge_ids: &[String]) -> GraphView {
    let labels: HashMap<String, String> =
        nodes.iter().map(|node| (text(node, "id"), label(node))).filter(|(id, _)| !id.is_empty()).collect();
    let edges: Vec<Value> = edges.into_iter().map(|edge| with_end_labels(edge, &labels)).collect();
    let named = |items: &[Value], ids: &[String]| -> Vec<Value> {
        let all = ids.iter().any(|id| id == ALL);
        let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
        items.iter().filter(|item| all || ids.contains(text(item, "id").as_str())).cloned().collect()
    };
    let mut view = GraphView::default();
    for node in named(&nodes, node_ids) {
        let labeled = format!("{}: {}", label(&node), text(&node, "id"));
        view.relevant.nodes.push(with(node, "label_and_id", &labeled));
        view.nodes_labeled.push(labeled);
    }
    for edge in named(&edges, edge_ids) {
        let ends = format!("{} → {}", text(&edge, "source_label"), text(&edge, "target_label"));
        let labeled = format!("{ends}: {}", text(&edge, "id"));
        view.relevant.edges.push(with(edge, "label_and_id", &labeled));
        view.edges_labeled.push(labeled);
    }
    view.graph = RelevantGraph { nodes, edges };
    view
}

fn with_end_labels(edge: Value, labels: &HashMap<String, String>) -> Value {
    let end = |name: &str| {
        let id = text(&edge, name);
        labels.get(&id).cloned().unwrap_or(id)
    };
    let (source, target) = (end("source"), end("target"));
    with(with(edge, "source_label", &source), "target_label", &target)
}

fn with(item: Value, key: &str, value: &str) -> Value {
    let mut fields = match item {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    fields.insert(key.to_owned(), Value::String(value.to_owned()));
    Value::Object(fields)
}

/// A node's readable name: `data.label`, else `label`, else its id.
fn label(node: &Value) -> String {
    [node.pointer("/data/label"), node.get("label"), node.get("id")]
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .to_owned()
}

fn text(item: &Value, key: &str) -> String {
    match item.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ids(list: &[&str]) -> Vec<String> {
        list.iter().map(|&id| id.to_owned()).collect()
    }

    fn graph() -> (Vec<Value>, Vec<Value>) {
        let nodes = vec![json!({"id": "a", "data": {"label": "Api"}}), json!({"id": "b", "label": "Store"}), json!(7)];
        let edges =
            vec![json!({"id": "e", "source": "a", "target": "b"}), json!({"id": "f", "source": "b", "target": "x"})];
        (nodes, edges)
    }

    #[test]
    fn named_nodes_and_edges_get_readable_names() {
        let (nodes, edges) = graph();
        let view = graph_view(nodes, edges, &ids(&["a", "gone"]), &ids(&["e"]));
        assert_eq!(view.nodes_labeled, ["Api: a"]);
        assert_eq!(view.edges_labeled, ["Api → Store: e"]);
        assert_eq!(view.relevant.nodes[0]["label_and_id"], "Api: a");
        assert_eq!(view.relevant.edges[0]["label_and_id"], "Api → Store: e");
        assert_eq!(view.graph.edges[1]["target_label"], "x");
    }

    #[test]
    fn a_star_names_all() {
        let (nodes, edges) = graph();
        let view = graph_view(nodes, edges, &ids(&["*"]), &ids(&["*"]));
        assert_eq!((view.relevant.nodes.len(), view.relevant.edges.len()), (3, 2));
    }
}
