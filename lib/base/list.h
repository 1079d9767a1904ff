/* Doubly linked list through a struct list_node in the element; a head is a node of its own.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_LIST_H
#define TAMBO_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
	struct list_node *next;
	struct list_node *prev;
};

#define LIST_INIT(head) {&(head), &(head)}
/* The element that holds node as its member. */
#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
/* node may be removed in the body. */
#define LIST_FOREACH(node, head)                                                                   \
	for (struct list_node *node = (head)->next, *node##_next = node->next; node != (head);     \
		node = node##_next, node##_next = node->next)

static inline void list_init(struct list_node *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list_node *head)
{
	return head->next == head;
}

static inline void list_insert_after(struct list_node *place, struct list_node *node)
{
	node->prev = place;
	node->next = place->next;
	place->next->prev = node;
	place->next = node;
}

static inline void list_append(struct list_node *head, struct list_node *node)
{
	list_insert_after(head->prev, node);
}

static inline void list_prepend(struct list_node *head, struct list_node *node)
{
	list_insert_after(head, node);
}

/* The node is left pointing to itself, so that removing twice is harmless. */
static inline void list_remove(struct list_node *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Removes and returns the first node, or NULL. */
static inline struct list_node *list_pop(struct list_node *head)
{
	struct list_node *node = head->next;
	if (node == head)
		return NULL;
	list_remove(node);
	return node;
}

#endif
