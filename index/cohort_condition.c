#include "cohort_condition.h"

#include "classifier/fold.h"

static const char *const op_names[OP_COUNT] = {
    "eq", "ne", "in", "lt", "lte", "gt", "gte", "exists", "contains", "starts_with",
};

/* ---- parsing ---- */

struct parsing {
    struct arena *arena;
    struct condition *out;
    uint32_t nodes_max;
    struct error *error;
};

/* Where in the JSON we are, for messages: "where.all[2].not". Each frame lies on its caller's
 * stack. */
struct place {
    const struct place *parent;
    const char *member;
    size_t index;
    bool in_list;
};

static void describe(const struct place *place, struct buffer *out)
{
    if (place->parent != NULL) {
        describe(place->parent, out);
        buffer_append_char(out, '.');
    }
    buffer_append_cstr(out, place->member);
    if (place->in_list) {
        buffer_append_format(out, "[%zu]", place->index);
    }
}

static err invalid(const struct parsing *parsing, const struct place *place, const char *what)
{
    struct buffer text;
    buffer_init(&text, 4096);
    describe(place, &text);
    err e = error_set(parsing->error, ERR_INVALID, "cohort_where_invalid", 0, "%.*s: %s",
                      SLICE_ARGS(buffer_slice(&text)), what);
    buffer_deinit(&text);
    return e;
}

static err no_memory(const struct parsing *parsing)
{
    return error_set(parsing->error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
}

static err add_node(struct parsing *parsing, enum condition_kind kind, struct condition_node **node)
{
    if (parsing->out->count >= parsing->nodes_max) {
        return error_set(parsing->error, ERR_TOO_LARGE, "cohort_too_large", 0,
                         "\"where\" has more than %u conditions", parsing->nodes_max);
    }
    *node = &parsing->out->nodes[parsing->out->count++];
    **node = (struct condition_node){.kind = kind};
    return ERR_OK;
}

/* "location.city" and "city" are the schema's; what is neither is an attribute's own path. */
static err parse_field(struct parsing *parsing, const struct place *place, json_value value,
                       struct condition_node *leaf)
{
    const struct slice name = json_text(value);
    if (name.length == 0 || name.length > CONDITION_TEXT_MAX) {
        return invalid(parsing, place,
                       "\"field\" is to be a field's name, such as \"location.country\"");
    }
    for (int field = 0; field < FIELD_BUILTIN_COUNT; field++) {
        const char *path = field_path((enum field)field);
        const char *dot = strrchr(path, '.');
        if (slice_equal_cstr(name, path) || (dot != NULL && slice_equal_cstr(name, dot + 1))) {
            if (field == FIELD_INTERESTS) {
                return invalid(parsing, place,
                               "interests are asked for with \"phrases\", not in \"where\"");
            }
            leaf->field = (enum field)field;
            return ERR_OK;
        }
    }
    leaf->field = FIELD_ATTRIBUTE;
    leaf->path = arena_copy(parsing->arena, name);
    return leaf->path.data != NULL ? ERR_OK : no_memory(parsing);
}

static err parse_op(struct parsing *parsing, const struct place *place, json_value value,
                    struct condition_node *leaf)
{
    for (int op = 0; op < OP_COUNT; op++) {
        if (slice_equal_cstr(json_text(value), op_names[op])) {
            leaf->op = (enum condition_op)op;
            return ERR_OK;
        }
    }
    return invalid(parsing, place,
                   "\"op\" is one of eq, ne, in, lt, lte, gt, gte, exists, contains, starts_with");
}

static err parse_text(struct parsing *parsing, struct slice text, struct condition_value *out)
{
    char folded[TEXT_FOLD_MAX];
    out->value.kind = VALUE_TEXT;
    out->value.text = arena_copy(parsing->arena, text);
    out->folded = arena_copy(parsing->arena, slice_of(folded, text_fold(text, folded)));
    return out->value.text.data != NULL && out->folded.data != NULL ? ERR_OK : no_memory(parsing);
}

static err parse_value(struct parsing *parsing, const struct place *place, json_value value,
                       const struct condition_node *leaf, struct condition_value *out)
{
    const bool ordering = leaf->op >= OP_LT && leaf->op <= OP_GTE;
    const bool of_text = leaf->op == OP_CONTAINS || leaf->op == OP_STARTS_WITH;
    const enum json_type type = json_type(value);
    if (of_text && type != JSON_STRING) {
        return invalid(parsing, place, "\"value\" is to be a text for contains and starts_with");
    }
    switch (type) {
    case JSON_STRING:
        if (json_text(value).length > CONDITION_TEXT_MAX) {
            return invalid(parsing, place, "\"value\" is longer than 512 bytes");
        }
        return parse_text(parsing, json_text(value), out);
    case JSON_INTEGER:
        out->value = (struct value){.kind = VALUE_INTEGER, .integer = json_integer(value)};
        if ((json_integer(value) < 0) != (json_double_of(value) < 0)) {
            /* between 2^63 and 2^64 */
            out->value = (struct value){.kind = VALUE_NUMBER, .number = json_double_of(value)};
        }
        return ERR_OK;
    case JSON_NUMBER:
        out->value = (struct value){.kind = VALUE_NUMBER, .number = json_double_of(value)};
        return ERR_OK;
    case JSON_BOOL:
        if (ordering) {
            return invalid(parsing, place, "true and false have no order; use eq or ne");
        }
        out->value = (struct value){.kind = VALUE_BOOL, .boolean = json_true(value)};
        return ERR_OK;
    case JSON_NULL:
        return invalid(parsing, place,
                       "\"value\" cannot be null; use {\"not\": {\"op\": \"exists\"}}");
    case JSON_ABSENT: return invalid(parsing, place, "\"value\" is missing");
    default: return invalid(parsing, place, "\"value\" is to be a text, a number, true or false");
    }
}

static err parse_values(struct parsing *parsing, const struct place *place, json_value value,
                        struct condition_node *leaf)
{
    if (leaf->op == OP_EXISTS) {
        return value == NULL ? ERR_OK : invalid(parsing, place, "exists takes no \"value\"");
    }
    const bool list = leaf->op == OP_IN;
    const size_t count = list ? json_count(value) : 1;
    if (list && (json_type(value) != JSON_ARRAY || count == 0 || count > CONDITION_VALUES_MAX)) {
        return invalid(parsing, place, "\"value\" of in is to be a list of 1 to 1000 values");
    }
    leaf->values = arena_zalloc(parsing->arena, count * sizeof *leaf->values);
    if (leaf->values == NULL) {
        return no_memory(parsing);
    }
    leaf->value_count = count;
    if (!list) {
        return parse_value(parsing, place, value, leaf, &leaf->values[0]);
    }
    err e = ERR_OK;
    struct json_iterator each = json_iterate(value);
    for (size_t i = 0; e == ERR_OK && json_next(&each); i++) {
        e = parse_value(parsing, place, each.value, leaf, &leaf->values[i]);
    }
    return e;
}

static err parse_leaf(struct parsing *parsing, const struct place *place, json_value object)
{
    struct condition_node *leaf = NULL;
    for (struct json_iterator each = json_iterate(object); json_next(&each);) {
        if (!slice_equal_cstr(each.key, "field") && !slice_equal_cstr(each.key, "op") &&
            !slice_equal_cstr(each.key, "value")) {
            return invalid(
                parsing, place,
                "a condition has \"field\", \"op\" and \"value\", or one of \"all\", \"any\", \"not\"");
        }
    }
    err e = add_node(parsing, CONDITION_LEAF, &leaf);
    if (e == ERR_OK) {
        e = parse_field(parsing, place, json_get(object, "field"), leaf);
    }
    if (e == ERR_OK) {
        e = parse_op(parsing, place, json_get(object, "op"), leaf);
    }
    if (e == ERR_OK) {
        e = parse_values(parsing, place, json_get(object, "value"), leaf);
    }
    leaf = e == ERR_OK ? leaf : NULL;
    if (leaf != NULL) {
        leaf->end = parsing->out->count;
    }
    return e;
}

/* The recursion is as deep as the JSON, at most JSON_DEPTH_MAX. */
static err parse_node(struct parsing *parsing, const struct place *place, json_value object)
{
    if (json_type(object) != JSON_OBJECT || json_count(object) == 0) {
        return invalid(parsing, place, "a condition is an object");
    }
    struct json_iterator only = json_iterate(object);
    (void)json_next(&only);
    const bool all = slice_equal_cstr(only.key, "all");
    const bool any = slice_equal_cstr(only.key, "any");
    const bool not = slice_equal_cstr(only.key, "not");
    if (json_count(object) != 1 || (!all && !any && !not )) {
        return parse_leaf(parsing, place, object);
    }
    struct condition_node *node = NULL;
    struct place inner = {.parent = place,
                          .member = all   ? "all"
                                    : any ? "any"
                                          : "not",
                          .in_list = !not };
    if (!not &&(json_type(only.value) != JSON_ARRAY || json_count(only.value) == 0)) {
        inner.in_list = false;
        return invalid(parsing, &inner, "is to be a list with at least one condition");
    }
    err e = add_node(parsing, all ? CONDITION_ALL : any ? CONDITION_ANY : CONDITION_NOT, &node);
    if (e == ERR_OK && not ) {
        e = parse_node(parsing, &inner, only.value);
    }
    struct json_iterator each = json_iterate(only.value);
    for (; e == ERR_OK && !not &&json_next(&each); inner.index++) {
        e = parse_node(parsing, &inner, each.value);
    }
    if (e == ERR_OK) {
        node->end = parsing->out->count;
    }
    return e;
}

err condition_parse(struct arena *arena, json_value where, uint32_t nodes_max,
                    struct condition *out, struct error *error)
{
    struct parsing parsing = {.arena = arena, .out = out, .nodes_max = nodes_max, .error = error};
    struct place place = {.member = "where"};
    *out = (struct condition){.nodes = arena_alloc(arena, nodes_max * sizeof *out->nodes)};
    if (out->nodes == NULL) {
        return no_memory(&parsing);
    }
    return parse_node(&parsing, &place, where);
}

/* ---- writing ---- */

static void write_value(const struct value *value, struct json_writer *json)
{
    switch (value->kind) {
    case VALUE_BOOL: json_bool(json, value->boolean); break;
    case VALUE_INTEGER: json_i64(json, value->integer); break;
    case VALUE_NUMBER: json_double(json, value->number); break;
    case VALUE_TEXT: json_string(json, value->text); break;
    case VALUE_NULL: json_null(json); break;
    }
}

static void write_leaf(const struct condition_node *leaf, struct json_writer *json)
{
    json_object_begin(json);
    json_member_string(json, "field",
                       leaf->field == FIELD_ATTRIBUTE ? leaf->path
                                                      : slice_from_cstr(field_path(leaf->field)));
    json_member_cstr(json, "op", op_names[leaf->op]);
    if (leaf->op != OP_EXISTS) {
        json_key(json, "value");
        if (leaf->op == OP_IN) {
            json_array_begin(json);
        }
        for (size_t i = 0; i < leaf->value_count; i++) {
            write_value(&leaf->values[i].value, json);
        }
        if (leaf->op == OP_IN) {
            json_array_end(json);
        }
    }
    json_object_end(json);
}

static void write_node(const struct condition *condition, uint32_t at, struct json_writer *json)
{
    static const char *const names[] = {"all", "any", "not"};
    const struct condition_node *node = &condition->nodes[at];
    if (node->kind == CONDITION_LEAF) {
        write_leaf(node, json);
        return;
    }
    json_object_begin(json);
    json_key(json, names[node->kind]);
    if (node->kind != CONDITION_NOT) {
        json_array_begin(json);
    }
    for (uint32_t child = at + 1; child < node->end; child = condition->nodes[child].end) {
        write_node(condition, child, json);
    }
    if (node->kind != CONDITION_NOT) {
        json_array_end(json);
    }
    json_object_end(json);
}

void condition_write(const struct condition *condition, struct json_writer *json)
{
    write_node(condition, 0, json);
}

/* ---- comparing ---- */

static int order_of_integers(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int order_of_numbers(double a, double b)
{
    return a < b ? -1 : a > b;
}

/* Exact: turning the integer into a double would make neighbours above 2^53 equal. */
static int order_of_integer_and_number(int64_t a, double b)
{
    if (b >= 9223372036854775808.0) {
        return -1;
    }
    if (b < -9223372036854775808.0) {
        return 1;
    }
    const int64_t whole = (int64_t)b;
    return a != whole ? order_of_integers(a, whole) : order_of_numbers(0, b - (double)whole);
}

static bool is_numeric(const struct value *value)
{
    return value->kind == VALUE_INTEGER || value->kind == VALUE_NUMBER;
}

static int order_of_numeric(const struct profile_value *a, const struct value *b)
{
    if (a->kind == PROFILE_INTEGER) {
        return b->kind == VALUE_INTEGER ? order_of_integers(a->integer, b->integer)
                                        : order_of_integer_and_number(a->integer, b->number);
    }
    return b->kind == VALUE_INTEGER ? -order_of_integer_and_number(b->integer, a->number)
                                    : order_of_numbers(a->number, b->number);
}

static struct slice text_of(const struct profile_value *value, const struct names *names)
{
    return value->kind == PROFILE_CATEGORY ? names_text(names, value->category_id) : value->text;
}

static bool is_equal(const struct condition_value *wanted, const struct profile_value *value,
                     const struct names *names)
{
    switch (value->kind) {
    case PROFILE_NULL: return false;
    case PROFILE_BOOL:
        return wanted->value.kind == VALUE_BOOL && wanted->value.boolean == value->boolean;
    case PROFILE_INTEGER:
    case PROFILE_NUMBER:
        return is_numeric(&wanted->value) && order_of_numeric(value, &wanted->value) == 0;
    case PROFILE_TEXT:
    case PROFILE_CATEGORY:
        return wanted->value.kind == VALUE_TEXT &&
               text_fold_equal(text_of(value, names), wanted->folded);
    }
    return false;
}

static bool in_order(enum condition_op op, int order)
{
    switch (op) {
    case OP_LT: return order < 0;
    case OP_LTE: return order <= 0;
    case OP_GT: return order > 0;
    default: return order >= 0;
    }
}

static bool text_holds(const struct condition_node *leaf, struct slice text)
{
    char bytes[TEXT_FOLD_MAX];
    const struct slice folded = slice_of(bytes, text_fold(text, bytes));
    const struct slice wanted = leaf->values[0].folded;
    switch (leaf->op) {
    case OP_CONTAINS:
        return wanted.length == 0 ||
               memmem(folded.data, folded.length, wanted.data, wanted.length) != NULL;
    case OP_STARTS_WITH: return slice_starts_with(folded, wanted);
    default: return in_order(leaf->op, slice_compare(folded, wanted));
    }
}

bool condition_value_holds(const struct condition_node *leaf, const struct profile_value *value,
                           const struct names *names)
{
    const struct condition_value *wanted = leaf->values;
    const bool textual = value->kind == PROFILE_TEXT || value->kind == PROFILE_CATEGORY;
    const bool numeric = value->kind == PROFILE_INTEGER || value->kind == PROFILE_NUMBER;
    if (value->kind == PROFILE_NULL) {
        return false;
    }
    switch (leaf->op) {
    case OP_EXISTS: return true;
    case OP_EQ: return is_equal(wanted, value, names);
    case OP_NE: return !is_equal(wanted, value, names);
    case OP_IN:
        for (size_t i = 0; i < leaf->value_count; i++) {
            if (is_equal(&wanted[i], value, names)) {
                return true;
            }
        }
        return false;
    case OP_CONTAINS:
    case OP_STARTS_WITH: return textual && text_holds(leaf, text_of(value, names));
    default:
        if (numeric && is_numeric(&wanted->value)) {
            return in_order(leaf->op, order_of_numeric(value, &wanted->value));
        }
        return textual && wanted->value.kind == VALUE_TEXT &&
               text_holds(leaf, text_of(value, names));
    }
}

uint32_t condition_name_id(const struct condition_node *leaf, const struct names *names)
{
    return leaf->field == FIELD_ATTRIBUTE ? names_find(names, leaf->path) : (uint32_t)leaf->field;
}

static bool leaf_matches(const struct condition_node *leaf, const struct profile_view *view,
                         const struct names *names)
{
    const uint32_t name_id = condition_name_id(leaf, names);
    bool some = false;
    bool one_holds = false;
    bool all_hold = true;
    if (name_id == NAME_NONE) {
        return false;
    }
    struct profile_cursor fields = profile_fields(view);
    for (struct profile_field field;
         profile_field_next(&fields, &field) && field.name_id <= name_id;) {
        if (field.name_id == name_id && field.value.kind != PROFILE_NULL) {
            bool holds = condition_value_holds(leaf, &field.value, names);
            some = true;
            one_holds = one_holds || holds;
            all_hold = all_hold && holds;
        }
    }
    struct profile_cursor items = profile_items(view);
    for (struct profile_item item; view->item_count > 0 && profile_item_next(&items, &item);) {
        if (item.name_id == name_id) {
            struct profile_value value = {.kind = PROFILE_TEXT, .text = item.text};
            bool holds = condition_value_holds(leaf, &value, names);
            some = true;
            one_holds = one_holds || holds;
            all_hold = all_hold && holds;
        }
    }
    return some && (leaf->op == OP_NE ? all_hold : one_holds);
}

/* view NULL: a profile without any field. */
static bool node_matches(const struct condition *condition, uint32_t at,
                         const struct profile_view *view, const struct names *names)
{
    const struct condition_node *node = &condition->nodes[at];
    if (node->kind == CONDITION_LEAF) {
        return view != NULL && leaf_matches(node, view, names);
    }
    for (uint32_t child = at + 1; child < node->end; child = condition->nodes[child].end) {
        bool holds = node_matches(condition, child, view, names);
        if (node->kind == CONDITION_NOT) {
            return !holds;
        }
        if (holds == (node->kind == CONDITION_ANY)) {
            return holds;
        }
    }
    return node->kind == CONDITION_ALL;
}

bool condition_matches(const struct condition *condition, const struct profile_view *view,
                       const struct names *names)
{
    return condition->count == 0 || node_matches(condition, 0, view, names);
}

bool condition_matches_nothing(const struct condition *condition)
{
    return condition->count == 0 || node_matches(condition, 0, NULL, NULL);
}
