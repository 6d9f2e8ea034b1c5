//! A value against a schema, as far as the published ones go: what is missing, of another type, or not in it at all.

use serde_json::Value;

pub(super) struct Check<'a> {
    pub(super) types: &'a Value,
    /// Whether null stands for a field that is missing.
    pub(super) null_is_missing: bool,
}

impl Check<'_> {
    /// What is odd about a value, each with its place.
    pub(super) fn odd(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        if let Some(name) = schema["$ref"].as_str() {
            return self.odd(&self.types[name], value, at);
        }
        if value.is_null() {
            let may =
                schema["nullable"] == true || self.null_is_missing || is_empty(schema) || self.any_takes_null(schema);
            return if may { Vec::new() } else { vec![format!("{at} is null")] };
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(choices) = schema[key].as_array() {
                let all: Vec<Vec<String>> = choices.iter().map(|choice| self.odd(choice, value, at)).collect();
                let best = all.into_iter().min_by_key(Vec::len).unwrap_or_default();
                return best;
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return parts.iter().flat_map(|part| self.odd(part, value, at)).collect();
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
            // A commit without a status, at a real Gitea.
            && !(self.null_is_missing && value == "")
        {
            return vec![format!("{at} is {value}, which is none of {}", schema["enum"])];
        }
        let is = match value {
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            _ => "object",
        };
        let takes = |name: &Value| name == is || (name == "number" && is == "integer");
        let fits = match &schema["type"] {
            Value::Array(names) => names.iter().any(takes),
            Value::Null => true,
            name => takes(name),
        };
        if !fits {
            return vec![format!("{at} is {is} in place of {}: {value}", schema["type"])];
        }
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .flat_map(|(n, item)| self.odd(&schema["items"], item, &format!("{at}[{n}]")))
                .collect(),
            Value::Object(fields) => {
                let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let missing =
                    required.filter(|name| !fields.contains_key(*name)).map(|name| format!("{at}.{name} is missing"));
                let known = schema["properties"].as_object();
                let odd = fields.iter().flat_map(|(name, field)| {
                    let at = format!("{at}.{name}");
                    match (known.and_then(|known| known.get(name)), known) {
                        (Some(of), _) => self.odd(of, field, &at),
                        (None, Some(known)) if !known.is_empty() && schema["additionalProperties"].is_null() => {
                            vec![format!("{at} is not in the schema")]
                        }
                        _ => Vec::new(),
                    }
                });
                missing.chain(odd).collect()
            }
            _ => Vec::new(),
        }
    }

    fn any_takes_null(&self, schema: &Value) -> bool {
        let choices = ["oneOf", "anyOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
        let of_type = schema["type"].as_array().is_some_and(|names| names.iter().any(|name| name == "null"));
        of_type || choices.into_iter().any(|choice| self.odd(choice, &Value::Null, "").is_empty())
    }
}

fn is_empty(schema: &Value) -> bool {
    schema.as_object().is_none_or(serde_json::Map::is_empty)
}
