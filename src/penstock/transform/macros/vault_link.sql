{#
    A link: every combination of business keys there ever was, once. `hubs` gives the columns of each hub's key by
    the hub's code; where one hub takes part twice, by a role: {'parent': {'hub': 'person', 'key': ['parent_id']}}.
    `children` are further columns that tell relations of the same keys apart. A key that is null is the hub's
    unknown key. Columns: `<code>_hk`, tenant, `<hub or role>_hk` each, children, loaded_at and record_source.

        {{ vault_link('loan', hubs={'member': ['member_id'], 'book': ['book_id']}, sources=ref('stg_loans')) }}
#}
{% macro vault_link(
    code, hubs, sources, children=[], tenant='tenant', loaded='loaded_at', record_source='record_source'
) -%}
    {%- set columns = [] -%}
    {%- set key = [] -%}
    {%- set others = [] -%}
    {{- vault_relation(columns, key, others, code, hubs, children, tenant) -}}
    {%- do columns.extend([(vault_moment(loaded, 'load time'), 'loaded_at'), (record_source, 'record_source')]) -%}
    {{ vault_insert(vault_arrived(sources, columns, key), identity=[code ~ '_hk'], others=others, timed=false) }}
{%- endmacro %}

{# The columns that a link and its effectivity share, added to the lists given: the link's key, tenant, hubs, children. #}
{% macro vault_relation(columns, key, others, code, hubs, children, tenant) -%}
    {{- vault_check_names(code, children) -}}
    {%- set keys = [] -%}
    {%- for role, declared in hubs.items() -%}
        {%- set hub = declared['hub'] if declared is mapping else role -%}
        {%- set names = declared['key'] if declared is mapping else declared -%}
        {%- do key.extend(names) -%}
        {%- do keys.append((vault_hash_key(hub, names, tenant=tenant), role ~ '_hk')) -%}
    {%- endfor -%}
    {%- do columns.extend([(vault_hash_key(code, key + children, tenant=tenant), code ~ '_hk'), (tenant, 'tenant')]) -%}
    {%- do columns.extend(keys) -%}
    {%- for name in children -%}{%- do columns.append((name, name)) -%}{%- endfor -%}
    {%- for expression, name in columns[1:] -%}{%- do others.append(name) -%}{%- endfor -%}
{%- endmacro %}
