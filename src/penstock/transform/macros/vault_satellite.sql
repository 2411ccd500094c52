{#
    A satellite: every version of what is said about a hub's or a link's key. `key` are the columns of the hub's key
    (of a link: those of its hubs in their order, then its children), `payload` what is said, `deleted` a condition
    that is true where the row says that the key is no more. Columns: `<code>_hk`, applied_at, hash_diff, tenant,
    is_deleted, payload, loaded_at and record_source; one row for each of the first three.

        {{ vault_satellite('member', key=['member_id'], payload=['name', 'city'], sources=ref('stg_members')) }}
#}
{% macro vault_satellite(
    code, key, payload, sources, deleted='false',
    tenant='tenant', applied='applied_at', loaded='loaded_at', record_source='record_source'
) -%}
    {{- vault_check_names(code, payload) -}}
    {%- set flag = 'coalesce(' ~ deleted ~ ', false)' -%}
    {%- set columns = [
        (vault_hash_key(code, key, tenant=tenant), code ~ '_hk'),
        (vault_moment(applied, 'applied time'), 'applied_at'),
        (vault_hash_diff(payload, deleted=flag, tenant=tenant), 'hash_diff'),
        (tenant, 'tenant'),
        (flag, 'is_deleted'),
    ] -%}
    {%- for name in payload -%}{%- do columns.append((name, name)) -%}{%- endfor -%}
    {%- do columns.extend([(vault_moment(loaded, 'load time'), 'loaded_at'), (record_source, 'record_source')]) -%}
    {{ vault_insert(
        vault_arrived(sources, columns, key),
        identity=[code ~ '_hk', 'applied_at', 'hash_diff'],
        others=['tenant', 'is_deleted'] + payload,
        timed=true,
    ) }}
{%- endmacro %}

{#
    An effectivity satellite: when a relation began (`deleted` false) and when it ended. It takes what its link takes.
    Columns: `<code>_hk`, applied_at, hash_diff, tenant, `<hub or role>_hk` each, children, is_deleted, loaded_at and
    record_source. Its hash diff is over `<code>_hk` and is_deleted.

        {{ vault_effectivity(
            'loan', hubs={'member': ['member_id'], 'book': ['book_id']}, sources=ref('stg_loans'), deleted='is_returned'
        ) }}
#}
{% macro vault_effectivity(
    code, hubs, sources, children=[], deleted='false',
    tenant='tenant', applied='applied_at', loaded='loaded_at', record_source='record_source'
) -%}
    {%- set flag = 'coalesce(' ~ deleted ~ ', false)' -%}
    {%- set columns = [] -%}
    {%- set key = [] -%}
    {%- set others = [] -%}
    {{- vault_relation(columns, key, others, code, hubs, children, tenant) -}}
    {%- do columns.extend([
        (vault_moment(applied, 'applied time'), 'applied_at'),
        (vault_hash_diff([code ~ '_hk'], deleted=flag, tenant=tenant), 'hash_diff'),
        (flag, 'is_deleted'),
        (vault_moment(loaded, 'load time'), 'loaded_at'),
        (record_source, 'record_source'),
    ]) -%}
    {{ vault_insert(
        vault_arrived(sources, columns, key),
        identity=[code ~ '_hk', 'applied_at', 'hash_diff'],
        others=others + ['is_deleted'],
        timed=true,
    ) }}
{%- endmacro %}

{#
    Record tracking: which keys every full snapshot held. `applied` is the snapshot's moment. A snapshot without a
    single row shows only in `snapshots`, a relation that lists them (tenant, applied, loaded, record source).
    Columns: `<code>_hk` (of an entry of `snapshots`: the unknown key), applied_at, tenant, loaded_at, record_source.

        {{ vault_tracking('member', key=['member_id'], sources=ref('stg_member_snapshots')) }}
#}
{% macro vault_tracking(
    code, key, sources, snapshots=none,
    tenant='tenant', applied='applied_at', loaded='loaded_at', record_source='record_source'
) -%}
    {%- set columns = [
        (vault_moment(applied, 'applied time'), 'applied_at'),
        (tenant, 'tenant'),
        (vault_moment(loaded, 'load time'), 'loaded_at'),
        (record_source, 'record_source'),
    ] -%}
    {%- set name = code ~ '_hk' -%}
    {%- set arrived = vault_arrived(sources, [(vault_hash_key(code, key, tenant=tenant), name)] + columns, key) -%}
    {%- if snapshots is not none -%}
        {%- set listed = vault_arrived(snapshots, [(vault_unknown_key(), name)] + columns, []) -%}
        {%- set arrived = arrived ~ '\n    union all' ~ listed -%}
    {%- endif -%}
    {{ vault_insert(arrived, identity=[name, 'tenant', 'applied_at'], others=[], timed=true) }}
{%- endmacro %}
