/* pieces.c: see pieces.h. */
#include "pieces.h"

#include <math.h>

#include "base/memory.h"

static const double UNKNOWN_SCORE = -20;
/* A piece with a score below this cannot be chosen. */
static const float SCORE_MIN = -1e6f;
static const char SPACE[3] = {'\xE2', '\x96', '\x81'}; /* ▁ */

/* ---- the trie ---- */

static uint32_t edge_slot(const struct pieces *pieces, uint32_t key)
{
    uint32_t slot = (key * UINT32_C(0x9E3779B1)) >> 7;
    for (;; slot++) {
        const uint32_t there = pieces->edges[slot & pieces->edge_mask].key;
        if (there == key || there == 0) {
            return slot & pieces->edge_mask;
        }
    }
}

/* The node behind the byte; 0 (the root, where no edge leads) when there is none. */
static uint32_t step(const struct pieces *pieces, uint32_t node, char byte)
{
    return pieces->edges[edge_slot(pieces, node * 256 + (uint8_t)byte + 1)].node;
}

static void add_piece(struct pieces *pieces, struct slice text, uint32_t piece, uint32_t *nodes)
{
    uint32_t node = 0;
    for (size_t i = 0; i < text.length; i++) {
        const uint32_t key = node * 256 + (uint8_t)text.data[i] + 1;
        struct piece_edge *edge = &pieces->edges[edge_slot(pieces, key)];
        if (edge->key == 0) {
            *edge = (struct piece_edge){key, (*nodes)++};
        }
        node = edge->node;
    }
    pieces->piece_of[node] = piece + 1;
}

err pieces_open(struct pieces *pieces, const struct model_file *file, struct error *error)
{
    struct tensor text;
    struct tensor score;
    err e = model_file_tensor(file, "pieces.text", TENSOR_U8, 1, (uint32_t[]){0}, &text, error);
    if (e == ERR_OK) {
        e = model_file_tensor(file, "pieces.score", TENSOR_F32, 1, (uint32_t[]){0}, &score, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    /* The trie has no more nodes than there are bytes, plus the root; keys have room for 2^24
     * nodes. */
    size_t terminators = 0;
    for (size_t i = 0; i < text.count; i++) {
        terminators += ((const char *)text.data)[i] == 0;
    }
    if (terminators != score.count || ((const char *)text.data)[text.count - 1] != 0 ||
        score.count > PIECES_MAX || text.count >= (1 << 22)) {
        return model_file_error(error, "pieces.text", "does not hold a text for each score");
    }
    uint32_t slots = 1024;
    while (slots < 2 * text.count) {
        slots *= 2;
    }
    pieces->edge_mask = slots - 1;
    pieces->score = score.data;
    pieces->count = score.count;
    pieces->edges = memory_zalloc(slots * sizeof *pieces->edges);
    pieces->piece_of = memory_zalloc((text.count + 1) * sizeof *pieces->piece_of);
    if (pieces->edges == NULL || pieces->piece_of == NULL) {
        return error_set(error, ERR_MEMORY, "memory", 0, "no memory for the model's pieces");
    }
    uint32_t nodes = 1;
    const char *at = text.data;
    for (uint32_t piece = 0; piece < score.count; piece++) {
        const size_t length = strlen(at);
        if (piece >= PIECES_RESERVED && length > 0 && pieces->score[piece] > SCORE_MIN) {
            add_piece(pieces, slice_of(at, length), piece, &nodes);
        }
        at += length + 1;
    }
    return ERR_OK;
}

void pieces_close(struct pieces *pieces)
{
    memory_free(pieces->edges);
    memory_free(pieces->piece_of);
}

/* ---- cutting ---- */

enum { SPACED_MAX = 3 * (PHRASE_FOLD_MAX + 1) };

struct lattice {
    char text[SPACED_MAX];
    size_t length;
    double best[SPACED_MAX + 1];
    uint16_t from[SPACED_MAX + 1];
    uint16_t piece[SPACED_MAX + 1];
};

static void put_spaced(struct lattice *lattice, struct slice text)
{
    memcpy(lattice->text, SPACE, sizeof SPACE);
    size_t length = sizeof SPACE;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == ' ') {
            memcpy(lattice->text + length, SPACE, sizeof SPACE);
            length += sizeof SPACE;
        } else {
            lattice->text[length++] = text.data[i];
        }
    }
    lattice->length = length;
}

static void reach(struct lattice *lattice, size_t from, size_t to, uint32_t piece, double score)
{
    if (lattice->best[from] + score > lattice->best[to]) {
        lattice->best[to] = lattice->best[from] + score;
        lattice->from[to] = (uint16_t)from;
        lattice->piece[to] = (uint16_t)piece;
    }
}

static bool inside_character(char byte)
{
    return ((uint8_t)byte & 0xC0) == 0x80;
}

/* All pieces that begin here, shorter ones first. */
static void reach_from(const struct pieces *pieces, struct lattice *lattice, size_t from)
{
    size_t character_end = from + 1;
    while (character_end < lattice->length && inside_character(lattice->text[character_end])) {
        character_end++;
    }
    bool is_piece = false;
    uint32_t node = 0;
    for (size_t i = from; i < lattice->length; i++) {
        node = step(pieces, node, lattice->text[i]);
        if (node == 0) {
            break;
        }
        const uint32_t piece = pieces->piece_of[node];
        if (piece != 0) {
            reach(lattice, from, i + 1, piece - 1, (double)pieces->score[piece - 1]);
            is_piece = is_piece || i + 1 == character_end;
        }
    }
    if (!is_piece) {
        reach(lattice, from, character_end, 0, UNKNOWN_SCORE);
    }
}

size_t pieces_cut(const struct pieces *pieces, struct slice text, uint16_t tokens[TOKENS_MAX])
{
    struct lattice lattice;
    CHECK(text.length <= PHRASE_FOLD_MAX);
    put_spaced(&lattice, text);
    lattice.best[0] = 0;
    for (size_t i = 1; i <= lattice.length; i++) {
        lattice.best[i] = -INFINITY;
    }
    for (size_t i = 0; i < lattice.length; i++) {
        if (!inside_character(lattice.text[i])) {
            reach_from(pieces, &lattice, i);
        }
    }
    uint16_t backwards[SPACED_MAX];
    size_t count = 0;
    for (size_t end = lattice.length; end > 0; end = lattice.from[end]) {
        const uint16_t piece = lattice.piece[end];
        if (piece != 0 || count == 0 || backwards[count - 1] != 0) {
            backwards[count++] = piece;
        }
    }
    const size_t kept = count < TOKENS_MAX ? count : TOKENS_MAX;
    for (size_t i = 0; i < kept; i++) {
        tokens[i] = backwards[count - 1 - i];
    }
    return kept;
}
