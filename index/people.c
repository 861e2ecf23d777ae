#include "index/people.h"

#include "base/memory.h"

/* A number's link is its parent, or, of a root, the size of its tree with the top bit set: the
 * sizes that union by size needs take no memory of their own. Parents and blobs of one page lie in
 * separate arrays, so that following parents reads 16 of them in a cache line.
 *
 * Invariants (people_validate):
 *   1. every number from 1 to `last` has a link that is a root's, or a number from 1 to `last`
 *   2. there are no circles
 *   3. a root's size is how many numbers lead to it, itself included; so the sizes add up to `last`
 *   4. `count` is the number of roots with a blob */
enum {
    PAGE_BITS = 16,
    PAGE_ENTRIES = 1 << PAGE_BITS,
    PAGE_COUNT_MAX = 1 << (31 - PAGE_BITS),
};

#define ROOT_BIT UINT32_C(0x80000000)

struct page {
    uint32_t links[PAGE_ENTRIES];
    void *blobs[PAGE_ENTRIES];
};

/* The directory is as long as it can get (256 KiB): it never moves either. */
struct people {
    uint32_t last;
    uint32_t page_count;
    uint64_t count;
    struct page *pages[PAGE_COUNT_MAX];
};

static inline bool is_given(const struct people *people, uint32_t number)
{
    return number != PERSON_NONE && number <= people->last;
}
static inline uint32_t link_of(const struct people *people, uint32_t number)
{
    return people->pages[number >> PAGE_BITS]->links[number & (PAGE_ENTRIES - 1)];
}
static inline void set_link(struct people *people, uint32_t number, uint32_t link)
{
    people->pages[number >> PAGE_BITS]->links[number & (PAGE_ENTRIES - 1)] = link;
}
static inline void **blob_slot(const struct people *people, uint32_t number)
{
    return &people->pages[number >> PAGE_BITS]->blobs[number & (PAGE_ENTRIES - 1)];
}
static inline bool is_root(uint32_t link)
{
    return (link & ROOT_BIT) != 0;
}
static inline uint32_t root_size(uint32_t link)
{
    return link & ~ROOT_BIT;
}

struct people *people_create(void)
{
    return memory_zalloc(sizeof(struct people));
}

void people_destroy(struct people *people, void (*free_blob)(void *blob))
{
    if (people == NULL) {
        return;
    }
    for (uint32_t number = 1; free_blob != NULL && number <= people->last; number++) {
        void *blob = *blob_slot(people, number);
        if (blob != NULL) {
            free_blob(blob);
        }
    }
    for (uint32_t i = 0; i < people->page_count; i++) {
        memory_free(people->pages[i]);
    }
    memory_free(people);
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Pages that were made before memory ran out stay for the next try. */
static err make_pages(struct people *people, uint32_t last)
{
    while (people->page_count <= last >> PAGE_BITS) {
        struct page *page = memory_zalloc(sizeof *page);
        if (page == NULL) {
            return ERR_MEMORY;
        }
        people->pages[people->page_count++] = page;
    }
    return ERR_OK;
}

err people_extend(struct people *people, uint32_t last)
{
    if (last > PERSON_MAX) {
        return ERR_TOO_LARGE;
    }
    if (last <= people->last) {
        return ERR_OK;
    }
    err e = make_pages(people, last);
    if (e != ERR_OK) {
        return e;
    }
    for (uint32_t number = people->last + 1; number <= last; number++) {
        set_link(people, number, ROOT_BIT | 1);
    }
    people->last = last;
    return ERR_OK;
}

err people_add(struct people *people, uint32_t *number)
{
    err e = people_extend(people, people->last + 1);
    if (e == ERR_OK) {
        *number = people->last;
    }
    return e;
}

uint32_t people_last(const struct people *people)
{
    return people->last;
}

uint64_t people_count(const struct people *people)
{
    return people->count;
}

/* ---- the union-find -------------------------------------------------------------------------- */

uint32_t people_parent(const struct people *people, uint32_t number)
{
    if (!is_given(people, number)) {
        return PERSON_NONE;
    }
    uint32_t link = link_of(people, number);
    return is_root(link) ? PERSON_NONE : link;
}

uint32_t people_find_shared(const struct people *people, uint32_t number)
{
    if (!is_given(people, number)) {
        return PERSON_NONE;
    }
    uint32_t link = link_of(people, number);
    while (!is_root(link)) {
        number = link;
        link = link_of(people, number);
    }
    return number;
}

uint32_t people_find(struct people *people, uint32_t number)
{
    if (!is_given(people, number)) {
        return PERSON_NONE;
    }
    uint32_t parent = link_of(people, number);
    while (!is_root(parent)) {
        uint32_t grandparent = link_of(people, parent);
        if (is_root(grandparent)) {
            return parent;
        }
        set_link(people, number, grandparent);
        number = grandparent;
        parent = link_of(people, number);
    }
    return number;
}

/* Both are roots and differ. */
static void put_under(struct people *people, uint32_t loser, uint32_t winner)
{
    uint32_t size = root_size(link_of(people, loser)) + root_size(link_of(people, winner));
    set_link(people, winner, ROOT_BIT | size);
    set_link(people, loser, winner);
    people->count -= *blob_slot(people, loser) != NULL;
}

err people_set_parent(struct people *people, uint32_t number, uint32_t parent)
{
    if (!is_given(people, number) || !is_given(people, parent) ||
        !is_root(link_of(people, number))) {
        return ERR_CORRUPT;
    }
    uint32_t root = people_find(people, parent);
    if (root == number) {
        return ERR_CORRUPT;
    }
    put_under(people, number, root);
    return ERR_OK;
}

uint32_t people_union(struct people *people, uint32_t a, uint32_t b)
{
    CHECK(a != b && is_given(people, a) && is_given(people, b));
    uint32_t link_a = link_of(people, a);
    uint32_t link_b = link_of(people, b);
    CHECK(is_root(link_a) && is_root(link_b));
    uint32_t winner = root_size(link_a) != root_size(link_b)
                          ? (root_size(link_a) > root_size(link_b) ? a : b)
                          : (a < b ? a : b);
    put_under(people, winner == a ? b : a, winner);
    return winner;
}

uint32_t people_tree_size(const struct people *people, uint32_t root)
{
    CHECK(is_given(people, root) && is_root(link_of(people, root)));
    return root_size(link_of(people, root));
}

void people_split(struct people *people, const uint32_t *members, size_t count)
{
    CHECK(count > 0);
    uint32_t root = people_find(people, members[0]);
    CHECK(root != PERSON_NONE && root_size(link_of(people, root)) == count);
    for (size_t i = 0; i < count; i++) {
        CHECK(people_find(people, members[i]) == root);
    }
    people->count -= *blob_slot(people, root) != NULL;
    for (size_t i = 0; i < count; i++) {
        /* A link of 0 marks those that are done, so that a number given twice is noticed. */
        CHECK(link_of(people, members[i]) != 0);
        set_link(people, members[i], 0);
    }
    for (size_t i = 0; i < count; i++) {
        set_link(people, members[i], ROOT_BIT | 1);
        people->count += *blob_slot(people, members[i]) != NULL;
    }
}

/* ---- blobs ----------------------------------------------------------------------------------- */

const void *people_blob(const struct people *people, uint32_t number)
{
    if (!is_given(people, number) || !is_root(link_of(people, number))) {
        return NULL;
    }
    return *blob_slot(people, number);
}

void people_prefetch(const struct people *people, uint32_t number)
{
    if (is_given(people, number)) {
        const struct page *page = people->pages[number >> PAGE_BITS];
        __builtin_prefetch(&page->links[number & (PAGE_ENTRIES - 1)]);
        __builtin_prefetch(&page->blobs[number & (PAGE_ENTRIES - 1)]);
    }
}

void people_prefetch_blob(const struct people *people, uint32_t number)
{
    const char *blob = people_blob(people, number);
    if (blob != NULL) {
        __builtin_prefetch(blob);
        __builtin_prefetch(blob + 64);
    }
}

void *people_replace(struct people *people, uint32_t number, void *blob)
{
    CHECK(is_given(people, number));
    bool root = is_root(link_of(people, number));
    CHECK(root || blob == NULL);
    void **slot = blob_slot(people, number);
    void *old = *slot;
    *slot = blob;
    if (root) {
        people->count += blob != NULL;
        people->count -= old != NULL;
    }
    return old;
}

uint64_t people_memory_bytes(const struct people *people)
{
    return sizeof *people + (uint64_t)people->page_count * sizeof(struct page);
}

/* ---- validating ------------------------------------------------------------------------------ */

static const char *links_fault(const struct people *people, uint32_t *sizes)
{
    uint64_t with_blob = 0;
    for (uint32_t number = 1; number <= people->last; number++) {
        uint32_t at = number;
        uint32_t steps = 0;
        uint32_t link = link_of(people, at);
        with_blob += is_root(link) && *blob_slot(people, number) != NULL;
        while (!is_root(link)) {
            if (!is_given(people, link)) {
                return "a parent was never given out";
            }
            if (++steps > people->last) {
                return "parents go in a circle";
            }
            at = link;
            link = link_of(people, at);
        }
        sizes[at]++;
    }
    for (uint32_t number = 1; number <= people->last; number++) {
        uint32_t link = link_of(people, number);
        if (is_root(link) && root_size(link) != sizes[number]) {
            return "a root counts its tree wrongly";
        }
    }
    return with_blob == people->count ? NULL : "people are counted wrongly";
}

bool people_validate(const struct people *people, const char **reason)
{
    uint32_t *sizes = memory_zalloc(((size_t)people->last + 1) * sizeof *sizes);
    if (sizes == NULL) {
        *reason = "memory is out";
        return false;
    }
    *reason = links_fault(people, sizes);
    memory_free(sizes);
    return *reason == NULL;
}
